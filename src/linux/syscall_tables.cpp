#include "linux/syscall_tables.hpp"

#include <algorithm>

#include <linux/audit.h>

namespace nspawn {

namespace {

#include "linux/syscall_tables.inc"

} // namespace

std::span<const SyscallName> syscall_names() { return kNames; }

std::string_view text_of(const SyscallName& name) { return {kNameText + name.text, name.length}; }

std::optional<size_t> find_syscall(std::string_view name) {
    const auto* found = std::ranges::lower_bound(kNames, name, {}, text_of);
    if (found == std::end(kNames) || text_of(*found) != name) {
        return std::nullopt;
    }
    return static_cast<size_t>(found - kNames);
}

std::span<const SyscallGroupBit> syscall_group_bits() { return kGroups; }

std::optional<SyscallGroupMask> find_syscall_group(std::string_view name) {
    if (!name.starts_with('@')) {
        return std::nullopt; // '%' groups are our own
    }
    const auto* found =
        std::ranges::find(kGroups, name, [](const SyscallGroupBit& group) { return std::string_view(group.name); });
    if (found == std::end(kGroups)) {
        return std::nullopt;
    }
    return SyscallGroupMask{1} << (found - kGroups);
}

std::span<const SyscallGrant> syscall_grants() { return kGrants; }
std::span<const SyscallClass> syscall_classes() { return kClasses; }
std::span<const SyscallInterface> syscall_interfaces() { return kInterfaces; }
std::span<const SyscallMap> syscall_maps() { return kMaps; }

} // namespace nspawn
