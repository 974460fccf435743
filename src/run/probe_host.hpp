// probe_host.hpp — looks at the host and the calling process once, before the plan is made.
//
// Never changes anything. What cannot be found out counts as not there.
#pragma once

#include "config/config.hpp"
#include "plan/host_facts.hpp"

#include <cstdint>

namespace nspawn {

struct HostProbe {
    HostFacts facts;
    CgroupHierarchies cgroups;
    uint64_t ignored_signals = 0; // bit N-1 for signal N
};

HostProbe probe_host(const Config& config);

} // namespace nspawn
