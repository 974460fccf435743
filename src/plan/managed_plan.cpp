#include "plan/managed_plan.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/address_pool.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn {

ManagedInput managed_input(const Config& config, const HostFacts& host, const NetworkPlan& network) {
    ManagedInput input;
    input.mode = config.network_managed;
    input.pools = config.network_pools;
    // The first one that nobody has plans of their own for.
    const auto is_extra = [&](const PlannedLink& link) {
        return std::any_of(config.network.extra.begin(), config.network.extra.end(),
                           [&](const HostPair& pair) { return pair.host == link.host_name.name; });
    };
    const auto pair = std::find_if(network.links.begin(), network.links.end(), [&](const PlannedLink& link) {
        return link.kind == LinkKind::veth && link.addresses.empty() && !is_extra(link);
    });
    if (input.mode == ManagedMode::no || pair == network.links.end()) {
        return input;
    }
    input.shared = !pair->bridge.empty();
    input.borrowed = input.shared && !pair->zone;
    input.link = input.shared ? pair->bridge : pair->host_name.name;
    input.container_link = pair->name.name;
    input.networkd_file = pair->zone ? host.networkd_zone_file : input.shared ? "" : host.networkd_veth_file;
    input.ipv6 = host.ipv6;
    input.machine_id = host.machine_id.value_or(Id128());
    return input;
}

ManagedPlan plan_managed_network(const ManagedInput& input) {
    ManagedPlan plan;
    const bool is_automatic = input.mode == ManagedMode::automatic;
    if (input.mode == ManagedMode::no || (is_automatic && (input.link.empty() || !input.networkd_file.empty()))) {
        return plan;
    }
    if (input.link.empty()) {
        throw Error(
            fmt::format("--network-managed={} needs a link to the host that can be managed", to_word(input.mode)),
            "Use it with --network-veth, --network-zone= or --network-bridge=.");
    }
    if (!input.networkd_file.empty()) {
        throw Error(fmt::format("systemd-networkd manages {} ({})", input.link, input.networkd_file),
                    "With --network-managed=auto it is left to it. To manage the link here, mask that file with a link "
                    "to /dev/null in /etc/systemd/network.");
    }
    if (input.link.find_first_of("\"\\*") != std::string::npos) {
        throw Error(fmt::format("{} has a name that the packet filter takes for a pattern", printable(input.link)));
    }
    plan.link = input.link;
    plan.container_link = input.container_link;
    plan.dhcp = input.mode == ManagedMode::dhcp;
    plan.step_back = is_automatic;
    plan.shared = input.shared;
    plan.borrowed = input.borrowed;
    plan.pool_is_given = input.pools.ipv4.has_value();
    if (input.pools.ipv4) {
        plan.ipv4_pools = {*input.pools.ipv4};
    } else {
        plan.ipv4_pools.assign(default_ipv4_pools().begin(), default_ipv4_pools().end());
    }
    if (input.ipv6) {
        plan.ipv6_pools = {input.pools.ipv6.value_or(ipv6_pool_of_host(input.machine_id))};
    }
    return plan;
}

} // namespace nspawn
