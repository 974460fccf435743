// managed_plan.hpp — whether we manage the container's network, on which link, and out of which addresses; as data.
//
// Pure. Which of the addresses is decided at each start, when it is known what is taken.
#pragma once

#include "base/id128.hpp"
#include "config/config.hpp"
#include "plan/host_facts.hpp"
#include "plan/network_plan.hpp"

#include <string>
#include <vector>

namespace nspawn {

struct ManagedPlan {
    std::string link; // the host's, which the gateway's addresses are put on; empty: nothing is managed
    std::string container_link;
    bool dhcp = false;
    bool step_back = false; // "auto": a link that others manage is theirs, without a word
    bool shared = false;    // a bridge: others may have addresses on it too
    bool borrowed = false;  // … and it is not ours
    std::vector<IpPrefix> ipv4_pools;
    bool pool_is_given = false;
    std::vector<IpPrefix> ipv6_pools; // empty: no IPv6
};

// What of it depends on the user's choice and the host alone.
struct ManagedInput {
    ManagedMode mode = ManagedMode::no;
    AddressPools pools;
    std::string link;
    std::string container_link;
    bool shared = false;
    bool borrowed = false;
    std::string networkd_file; // which makes systemd-networkd manage this kind of link; empty: it does not
    bool ipv6 = false;         // the host has it
    Id128 machine_id;          // of the host
};
ManagedInput managed_input(const Config& config, const HostFacts& host, const NetworkPlan& network);
// Throws Error when it is asked for and cannot be.
ManagedPlan plan_managed_network(const ManagedInput& input);

} // namespace nspawn
