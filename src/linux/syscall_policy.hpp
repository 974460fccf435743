// syscall_policy.hpp — which system calls a container may use, given its capabilities and the user's wishes.
//
// Decides by name, from build-time tables; without names from the user it compares no text. Never talks to the kernel;
// seccomp_filter.hpp turns the decision into a program. Rules: systemd-nspawn(1) --system-call-filter=,
// systemd.nspawn(5) SystemCallFilter=.
#pragma once

#include "linux/capability.hpp"

#include <bitset>
#include <span>
#include <string>
#include <vector>

namespace nspawn {

struct FilterPolicy {
    CapabilityMask retained = 0; // some calls are allowed with the capability they need
    // Names and "@groups". A denied group takes out only that reference to it: its calls stay where another allowed
    // group or name has them. A denied name is always refused. Unknown ones are skipped.
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    bool suppress_sync = false;             // syncing succeeds without doing anything
    bool forbid_terminal_injection = false; // no ioctl that types into a terminal
};

// By index into syscall_names().
constexpr size_t kMostSyscallNames = 1024;
using AllowedSyscalls = std::bitset<kMostSyscallNames>;

AllowedSyscalls allowed_syscalls(const FilterPolicy& policy);

// Those of `names` that are neither a group nor a system call of any architecture: worth a warning.
std::vector<std::string> unknown_filter_names(std::span<const std::string> names);

} // namespace nspawn
