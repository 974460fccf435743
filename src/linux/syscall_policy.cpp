#include "linux/syscall_policy.hpp"

#include "linux/syscall_tables.hpp"

#include <bit>

namespace nspawn {

namespace {

// What a list of the user's names, sorted by kind. Unknown ones are in neither.
struct Names {
    SyscallGroupMask groups = 0;
    AllowedSyscalls calls;
};

Names look_up(std::span<const std::string> list) {
    Names names;
    for (const std::string& word : list) {
        if (const auto group = find_syscall_group(word)) {
            names.groups |= *group;
        } else if (const auto call = find_syscall(word)) {
            names.calls.set(*call);
        }
    }
    return names;
}

SyscallGroupMask granted_groups(CapabilityMask retained) {
    SyscallGroupMask groups = 0;
    for (const SyscallGrant& grant : syscall_grants()) {
        if (grant.capability == kAlways || has_capability(retained, static_cast<unsigned>(grant.capability))) {
            groups |= grant.groups;
        }
    }
    return groups;
}

// With the groups that groups name. A denied group is not entered, from wherever it is named.
SyscallGroupMask with_nested_groups(SyscallGroupMask groups, SyscallGroupMask denied) {
    const auto bits = syscall_group_bits();
    SyscallGroupMask reached = 0;
    SyscallGroupMask pending = groups & ~denied;
    while (pending != 0) {
        const auto next = static_cast<size_t>(std::countr_zero(pending));
        reached |= SyscallGroupMask{1} << next;
        pending = (pending | (bits[next].nested & ~denied)) & ~reached;
    }
    return reached;
}

} // namespace

AllowedSyscalls allowed_syscalls(const FilterPolicy& policy) {
    const Names allow = look_up(policy.allow);
    const Names deny = look_up(policy.deny);
    const SyscallGroupMask groups = with_nested_groups(granted_groups(policy.retained) | allow.groups, deny.groups);
    AllowedSyscalls allowed = allow.calls;
    const auto names = syscall_names();
    for (size_t i = 0; i < names.size(); ++i) {
        allowed[i] = allowed[i] || (names[i].groups & groups) != 0;
    }
    return allowed & ~deny.calls;
}

std::vector<std::string> unknown_filter_names(std::span<const std::string> names) {
    std::vector<std::string> unknown;
    for (const std::string& name : names) {
        if (!find_syscall_group(name) && !find_syscall(name)) {
            unknown.push_back(name);
        }
    }
    return unknown;
}

} // namespace nspawn
