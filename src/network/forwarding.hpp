// forwarding.hpp — which of the host's settings let packets pass between a managed link and the rest of the world.
//
// Per interface wherever the kernel has it so, never the switch for all: the link itself, and the interfaces that
// routes lead out of, since answers come in there. The lease table remembers what was changed and gives it back. What
// cannot be set is said, not fatal: the container and the host reach each other all the same. Source: the kernel's
// Documentation/networking/ip-sysctl.rst.
#pragma once

#include "lease/lease_table.hpp"
#include "linux/netlink.hpp"

#include <string>
#include <vector>

namespace nspawn {

// Where packets leave the host, other than to containers.
std::vector<std::string> find_uplinks(NetlinkSocket& socket, const std::string& own);

struct Forwarding {
    std::vector<std::string> opened; // interfaces that forward because of us or of runs before
    std::vector<std::string> notices;
};

Forwarding allow_forwarding(LeaseTable& table, NetlinkSocket& socket, const std::string& link, bool ipv6);

// The directory below net/ of /proc/sys, in the lease table's spelling.
std::string forwarding_setting(bool ipv6, const std::string& interface, const std::string& name);

} // namespace nspawn
