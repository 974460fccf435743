// machine_network.hpp — finding the network of a running machine by the machine's name.
//
// What is found is in the records of living runs (scratch_record.hpp): nothing has to be removed when a run ends or is
// killed. Never trusts a process number alone: the namespace must be the recorded one, while the run still lives.
#pragma once

#include "base/unique_fd.hpp"
#include "image/scratch_record.hpp"

#include <string>

#include <sys/types.h>

namespace nspawn {

// Others may join the network from now on.
void publish_network(const std::string& machine, pid_t leader, int network_namespace, ScratchRecord& record);

// Another run of this machine has published its network. `own` is left out.
bool machine_runs(const std::string& machine, const ScratchRecord& own);

// Throws when no machine of this name runs in a network of its own.
UniqueFd open_network_of_machine(const std::string& machine);

// Whether the process of that number, a container's leader once, is there still, in the network namespace of that
// number.
bool is_in_network(pid_t leader, uint64_t number);

} // namespace nspawn
