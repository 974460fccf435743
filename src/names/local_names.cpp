#include "names/local_names.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace nspawn {

namespace {

constexpr size_t kMostRecords = 8;

LocalAnswer addresses_as_answer(const DnsQuestion& question, std::span<const IpAddress> addresses) {
    LocalAnswer answer;
    for (const IpAddress& address : addresses) {
        DnsRecord record = address_record(address);
        if ((question.type == record.type || question.type == dns::kTypeAny) && answer.records.size() < kMostRecords) {
            answer.records.push_back(std::move(record));
        }
    }
    return answer;
}

std::optional<std::vector<IpAddress>> addresses_of_name(const std::string& name, const LocalNames& names) {
    if (name == "localhost" || name.ends_with(".localhost")) {
        return std::vector{*parse_ip_address("127.0.0.1"), *parse_ip_address("::1")};
    }
    if (name == "host" || name == "_gateway" || (!names.host_name.empty() && name == names.host_name)) {
        return names.gateways;
    }
    for (const LeaseRecord& machine : names.machines) {
        if (equal_ignoring_case(machine.machine, name)) {
            return addresses_on_link(machine, names.link);
        }
    }
    return std::nullopt;
}

std::string name_of_address(const IpAddress& address, const LocalNames& names) {
    if (std::find(names.gateways.begin(), names.gateways.end(), address) != names.gateways.end()) {
        return names.host_name.empty() ? "host" : names.host_name;
    }
    for (const LeaseRecord& machine : names.machines) {
        const std::vector<IpAddress> addresses = addresses_on_link(machine, names.link);
        if (std::find(addresses.begin(), addresses.end(), address) != addresses.end()) {
            return machine.machine;
        }
    }
    return {};
}

// Of our networks everything is known: what is not there is not anywhere.
std::optional<LocalAnswer> answer_backwards(const DnsQuestion& question, const IpAddress& address,
                                            const LocalNames& names) {
    const auto holds = [&](const IpPrefix& network) { return contains(network, address); };
    if (std::none_of(names.networks.begin(), names.networks.end(), holds)) {
        return std::nullopt;
    }
    auto record = pointer_record(name_of_address(address, names));
    if (!record) {
        return LocalAnswer{dns::Outcome::no_such_name, {}};
    }
    LocalAnswer answer;
    if (question.type == dns::kTypePtr || question.type == dns::kTypeAny) {
        answer.records.push_back(std::move(*record));
    }
    return answer;
}

} // namespace

std::optional<LocalAnswer> answer_locally(const DnsQuestion& question, const LocalNames& names) {
    if (question.klass != dns::kClassInternet) {
        return std::nullopt;
    }
    if (const auto addresses = addresses_of_name(question.name, names)) {
        return addresses_as_answer(question, *addresses);
    }
    if (const auto address = address_of_reverse_name(question.name)) {
        return answer_backwards(question, *address, names);
    }
    return std::nullopt;
}

} // namespace nspawn
