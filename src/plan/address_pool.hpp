// address_pool.hpp — which addresses a managed network gets: a subnet that nobody else uses, and places in it.
//
// Pure: what is taken goes in, a choice comes out. The same name gets the same addresses as long as they are free,
// since the search starts at a place that follows from the name. Never decides what is taken; leases and the host's own
// addresses and routes do. Sources: RFC 1918, RFC 4193 section 3.2.
#pragma once

#include "base/id128.hpp"
#include "linux/ip_address.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace nspawn {

inline constexpr unsigned kVethSubnetLength = 28;   // thirteen addresses beside the gateway's
inline constexpr unsigned kBridgeSubnetLength = 22; // a thousand members
inline constexpr unsigned kIpv6SubnetLength = 64;

// Where IPv4 subnets are taken from unless --network-pool= says: the first of these that has a free one. Chosen out of
// the way of what other software takes by default (Docker, Podman, LXD, libvirt, Kubernetes, home routers).
std::span<const IpPrefix> default_ipv4_pools();
// The host's own unique local prefix, fdXX:XXXX:XXXX::/48, as it follows from its machine id.
IpPrefix ipv6_pool_of_host(const Id128& machine_id);

// Where the search for a name's addresses starts.
uint64_t address_seed(std::string_view name);

struct SubnetRequest {
    std::span<const IpPrefix> pools; // tried in this order
    bool pool_is_given = false;      // by the user: routes wider than the pool are known to them
    unsigned length = 0;             // of the subnet; a smaller pool is the subnet
    uint64_t seed = 0;
    std::span<const IpPrefix> leased;  // subnets of other networks of ours
    std::span<const IpPrefix> on_host; // networks that the host has addresses in or routes to
};
// No value: there is none free.
std::optional<IpPrefix> choose_subnet(const SubnetRequest& request);

// The address that lies so far behind the network's own.
IpAddress address_in(const IpPrefix& subnet, uint64_t offset);
// The network's first address.
IpAddress gateway_of(const IpPrefix& subnet);
// How far behind the network's own address a member's lies; no value: all are taken.
std::optional<uint64_t> choose_member(const IpPrefix& ipv4_subnet, uint64_t seed, std::span<const IpAddress> taken);

} // namespace nspawn
