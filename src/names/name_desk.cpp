#include "names/name_desk.hpp"

#include "base/text.hpp"
#include "lease/live_leases.hpp"

#include <algorithm>
#include <array>
#include <climits>

#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr std::chrono::seconds kFresh{1};

std::vector<IpAddress> addresses_of(const std::vector<IpPrefix>& prefixes) {
    std::vector<IpAddress> addresses;
    for (const IpPrefix& prefix : prefixes) {
        addresses.push_back(prefix.address);
    }
    return addresses;
}

std::string own_host_name() {
    std::array<char, HOST_NAME_MAX + 1> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? lower_case(name.data()) : std::string();
}

} // namespace

NameDesk::NameDesk(const NameDeskOptions& options)
    : link_(options.link), network_namespace_(options.network_namespace), lease_directory_(options.lease_directory),
      resolver_port_(options.resolver_port), resolvers_(options.resolv_conf, addresses_of(options.gateways)) {
    names_.link = options.link;
    names_.host_name = own_host_name();
    names_.networks = options.gateways;
    names_.gateways = addresses_of(options.gateways);
}

void NameDesk::look_at_leases(Clock::time_point now) {
    struct stat status {};
    const std::string machines = lease_directory_ + "/machines";
    const bool there = stat(machines.c_str(), &status) == 0;
    const bool same = there && status.st_mtim.tv_sec == modified_.tv_sec &&
                      status.st_mtim.tv_nsec == modified_.tv_nsec && now - looked_ < kFresh;
    if (same) {
        return;
    }
    names_.machines = read_live_leases(lease_directory_.c_str());
    std::erase_if(names_.machines, [this](const LeaseRecord& lease) {
        return lease.network_namespace != network_namespace_ || addresses_on_link(lease, link_).empty();
    });
    modified_ = status.st_mtim;
    looked_ = now;
}

std::optional<std::vector<uint8_t>> NameDesk::answer(Bytes message, const std::optional<DnsQuery>& query,
                                                     Clock::time_point now) {
    if (!query) {
        const auto complaint = complaint_about(message);
        return complaint ? make_dns_error(message, *complaint) : std::vector<uint8_t>();
    }
    look_at_leases(now);
    const auto local = answer_locally(query->question, names_);
    return local ? std::optional(make_dns_answer(message, *query, local->outcome, local->records)) : std::nullopt;
}

} // namespace nspawn
