#include "run/machine_network.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "linux/network_namespace.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn {

namespace {

struct PublishedNetwork {
    std::string_view machine;
    pid_t leader = 0;
    uint64_t number = 0; // of the namespace
};

// "/MACHINE/LEADER/NUMBER"
std::optional<PublishedNetwork> parse_published(std::string_view text) {
    constexpr size_t kFields = 4;
    const std::vector<std::string_view> fields = split(text, '/');
    if (fields.size() != kFields) {
        return std::nullopt;
    }
    const auto leader = parse_unsigned(fields[2]);
    const auto number = parse_unsigned(fields[3]);
    if (!leader || *leader == 0 || *leader > INT32_MAX || !number) {
        return std::nullopt;
    }
    return PublishedNetwork{fields[1], static_cast<pid_t>(*leader), *number};
}

} // namespace

void publish_network(const std::string& machine, pid_t leader, int network_namespace, ScratchRecord& record) {
    const uint64_t number = network_namespace_number(network_namespace).or_throw("");
    record.add(ScratchKind::network, fmt::format("/{}/{}/{}", machine, leader, number));
}

namespace {

// The number of a process alone says nothing: it may be another's by now.
Result<UniqueFd> open_published(const PublishedNetwork& published) {
    Result<UniqueFd> opened = open_network_namespace(published.leader);
    if (opened.ok() && network_namespace_number(opened.value().get()).value_or(0) != published.number) {
        return SystemError{ESRCH, ""};
    }
    return opened;
}

} // namespace

bool is_in_network(pid_t leader, uint64_t number) { return open_published({{}, leader, number}).ok(); }

bool machine_runs(const std::string& machine, const ScratchRecord& own) {
    const std::vector<std::string> all = recorded_by_living_runs(ScratchKind::network, &own);
    return std::any_of(all.begin(), all.end(), [&](const std::string& text) {
        const auto published = parse_published(text);
        return published && published->machine == machine && open_published(*published).ok();
    });
}

UniqueFd open_network_of_machine(const std::string& machine) {
    for (const std::string& text : recorded_by_living_runs(ScratchKind::network)) {
        const auto published = parse_published(text);
        if (!published || published->machine != machine) {
            continue;
        }
        Result<UniqueFd> opened = open_published(*published);
        if (opened.ok()) {
            return std::move(opened).value();
        }
    }
    throw Error(fmt::format("no machine '{}' is running in a network of its own", machine),
                "It has to be started by nspawn, with --private-network or an option that implies it.");
}

} // namespace nspawn
