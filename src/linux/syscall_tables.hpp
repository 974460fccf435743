// syscall_tables.hpp — the system calls this build knows: names, groups, and numbers on every architecture this
// machine's kernel runs.
//
// Read-only data without pointers to relocate, written at build time by tools/generate_syscall_tables.cpp. Never
// decides what is allowed; that is seccomp_filter.hpp.
#pragma once

#include "linux/capability.hpp"
#include "linux/syscall_groups.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace nspawn {

// Bit N stands for the group at syscall_group_bits()[N].
using SyscallGroupMask = uint64_t;

struct SyscallName {
    SyscallGroupMask groups; // that name this call themselves
    uint16_t text;           // where the name starts in the common text
    uint8_t length;
    ArgumentRule rule;
};

struct SyscallGroupBit {
    char name[20];
    SyscallGroupMask nested; // groups that this one names
};

struct SyscallGrant {
    int capability; // CAP_* or kAlways
    SyscallGroupMask groups;
};

// Sorted by number; a number may be there twice, under two names.
struct SyscallNumber {
    uint32_t number;
    uint16_t name; // index into syscall_names()
};

struct SyscallInterface {
    std::string_view name; // "x86-64", "x32", …
    uint32_t audit_arch;   // x32 shares it with x86-64 and has other numbers
    std::span<const SyscallNumber> numbers;
};

// All calls that the default list treats alike. The first class is that of numbers no call has.
struct SyscallClass {
    CapabilityMask opened_by; // retaining any of these allows them
    bool always;
    ArgumentRule rule;
};

// Numbers from `first` up to the next run's.
struct SyscallRun {
    uint32_t first;
    uint32_t of_class; // index into syscall_classes()
};

// Every 32-bit number of one audit architecture: what the filter tells apart without the user's names. A fraction of
// the numbers, and all that a start without such names has to read.
struct SyscallMap {
    uint32_t audit_arch;
    uint32_t first_interface; // its interfaces are neighbours in syscall_interfaces(), in rising order of numbers
    uint32_t interface_count;
    std::span<const SyscallRun> runs;
};

std::span<const SyscallName> syscall_names(); // sorted by name
std::string_view text_of(const SyscallName& name);
std::optional<size_t> find_syscall(std::string_view name); // index into syscall_names()

std::span<const SyscallGroupBit> syscall_group_bits();
std::optional<SyscallGroupMask> find_syscall_group(std::string_view name); // the group's own bit; "@…" only

std::span<const SyscallGrant> syscall_grants();
std::span<const SyscallClass> syscall_classes();
std::span<const SyscallInterface> syscall_interfaces(); // native first
std::span<const SyscallMap> syscall_maps();             // native first

} // namespace nspawn
