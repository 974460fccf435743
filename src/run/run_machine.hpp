// run_machine.hpp — one machine from its configuration to its exit status, reboots included.
//
// The one place that knows the order of things: tree, facts, plan, launch, supervise, clean up. Each of them lives in
// a file of its own.
#pragma once

#include "config/caller.hpp"
#include "config/config.hpp"
#include "config/environment_switches.hpp"
#include "image/root_tree.hpp"

namespace nspawn {

// Exit status for the program: the payload's own, 0 after a power-off, 133 for a reboot with --keep-unit, 1 otherwise.
// Throws Error when the container could not be started. Source: systemd-nspawn(1), "EXIT STATUS".
int run_machine(const Config& config, const EnvironmentSwitches& switches, const Caller& caller,
                RootSelection selection);

} // namespace nspawn
