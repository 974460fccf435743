// conflicts.hpp — what on this host keeps published ports from being reached, in words for the user.
//
// Looks, and changes nothing: forwarding of packets, and what other firewalls do with forwarded ones. Says nothing of
// what it cannot find out. Source: the kernel's Documentation/networking/ip-sysctl.rst, nft(8), libnftables-json(5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

class Nft;

// The chains that let nothing through a router which they do not name, "inet filter forward" each, from
// `nft -j list chains`.
std::vector<std::string> dropping_chains(std::string_view json);

// One sentence for each. `ipv4`, `ipv6`: which of them the ports need.
std::vector<std::string> find_port_conflicts(Nft& nft, bool ipv4, bool ipv6);

} // namespace nspawn
