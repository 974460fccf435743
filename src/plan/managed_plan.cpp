#include "plan/managed_plan.hpp"

#include "base/error.hpp"
#include "plan/address_pool.hpp"

#include <fmt/format.h>

namespace nspawn {

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
