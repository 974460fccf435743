#include "run/claimed_address.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "lease/lease_table.hpp"
#include "linux/network_namespace.hpp"
#include "run/machine_network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace nspawn {

namespace {

std::string claim_of(const std::string& link, std::string_view address) {
    return of_this_network(fmt::format("/{}/{}", link, address));
}

// With a managed network, under the name of its machine.
std::string lessee_of(const std::string& link, const IpAddress& address) {
    for (const LeaseRecord& lease : read_live_leases()) {
        const auto is_it = [&](const IpPrefix& each) { return each.address == address; };
        const bool here = lease.link == link && lease.network_namespace == own_network_namespace();
        if (here && (std::any_of(lease.addresses.begin(), lease.addresses.end(), is_it) ||
                     std::find(lease.gateways.begin(), lease.gateways.end(), address) != lease.gateways.end())) {
            return lease.machine;
        }
    }
    return {};
}

} // namespace

void claim_addresses(const std::string& link, std::span<const IpPrefix> addresses, pid_t leader, int network_namespace,
                     ScratchRecord& record) {
    const uint64_t number = network_namespace_number(network_namespace).or_throw("the container's network namespace");
    for (const IpPrefix& each : addresses) {
        record.add_later(ScratchKind::address,
                         claim_of(link, fmt::format("{}/{}/{}", format_ip_address(each.address), leader, number)));
    }
    record.write();
    const std::vector<IpAddress> taken = addresses_claimed_on(link, &record);
    for (const IpPrefix& each : addresses) {
        const std::string lessee = lessee_of(link, each.address);
        if (!lessee.empty() || std::find(taken.begin(), taken.end(), each.address) != taken.end()) {
            throw Error(fmt::format("the address {} on {} is another container's{}", format_ip_address(each.address),
                                    link, lessee.empty() ? "" : " (" + lessee + ")"),
                        "Two with one address would answer for each other: choose another one.");
        }
    }
}

std::vector<IpAddress> addresses_claimed_on(const std::string& link, const ScratchRecord* own) {
    const std::string prefix = claim_of(link, "");
    std::vector<IpAddress> addresses;
    for (const std::string& claim : recorded_by_living_runs(ScratchKind::address, own)) {
        if (!claim.starts_with(prefix)) {
            continue;
        }
        std::string_view rest = std::string_view(claim).substr(prefix.size());
        const auto address = parse_ip_address(take_until(rest, '/'));
        const auto leader = parse_unsigned(take_until(rest, '/'));
        const auto number = parse_unsigned(rest);
        if (address && leader && *leader <= INT32_MAX && number &&
            is_in_network(static_cast<pid_t>(*leader), *number)) {
            addresses.push_back(*address);
        }
    }
    return addresses;
}

} // namespace nspawn
