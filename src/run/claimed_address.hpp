// claimed_address.hpp — addresses that the user gives to containers by name: one for one container of a bridge or zone.
//
// Owns the claim, which is a line in the run's ScratchRecord and holds as long as the container's leader lives. Knows
// what containers of ours have, with a managed network too; who else is on the wire it never asks.
#pragma once

#include "image/scratch_record.hpp"
#include "linux/ip_address.hpp"

#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

namespace nspawn {

// Of the container of `leader`, which joins `link` of the host: a bridge, or what macvlan and ipvlan interfaces lie on.
// Claimed before it is looked who else does, so that of two at once not both have it. Throws Error: another container
// has one of them.
void claim_addresses(const std::string& link, std::span<const IpPrefix> addresses, pid_t leader, int network_namespace,
                     ScratchRecord& record);
// By living containers.
std::vector<IpAddress> addresses_claimed_on(const std::string& link, const ScratchRecord* own = nullptr);

} // namespace nspawn
