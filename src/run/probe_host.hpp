// probe_host.hpp — looks at the host and the calling process once, before the plan is made.
//
// Never changes anything. What cannot be found out counts as not there.
#pragma once

#include "config/caller.hpp"
#include "config/config.hpp"
#include "plan/host_facts.hpp"

#include <cstdint>

namespace nspawn {

struct HostProbe {
    HostFacts facts;
    CgroupHierarchies cgroups;
    bool no_groups = false;          // we are in no supplementary group
    uint64_t ignored_signals = 0;    // bit N-1 for signal N
    CapabilityMask bounding_set = 0; // ours
};

HostProbe probe_host(const Config& config, const Caller& caller);

} // namespace nspawn
