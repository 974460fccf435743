// capability.hpp — capability sets as the kernel has them: names, the default set, reading and setting them.
//
// Never decides who gets what; that is the plan's task. The names are written at build time from libcap
// (tools/generate_capability_names.cpp): linking libcap itself would cost six prctl(2) calls at every start, from its
// constructor. Sources: capabilities(7), capget(2), prctl(2); the default set: systemd-nspawn(1) --capability=.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <linux/capability.h>

namespace nspawn {

// Bit N is capability number N.
using CapabilityMask = uint64_t;

constexpr unsigned kCapabilityLimit = 64;

constexpr CapabilityMask capability_bit(unsigned number) { return CapabilityMask{1} << number; }

template <typename... Numbers>
constexpr CapabilityMask capability_mask(Numbers... numbers) {
    return (capability_bit(static_cast<unsigned>(numbers)) | ... | CapabilityMask{0});
}

constexpr bool has_capability(CapabilityMask mask, unsigned number) { return (mask & capability_bit(number)) != 0; }

// What a container keeps unless told otherwise; CAP_NET_ADMIN joins it with a private network.
constexpr CapabilityMask kDefaultRetainedCapabilities = capability_mask(
    CAP_AUDIT_CONTROL, CAP_AUDIT_WRITE, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID,
    CAP_IPC_OWNER, CAP_KILL, CAP_LEASE, CAP_LINUX_IMMUTABLE, CAP_MKNOD, CAP_NET_BIND_SERVICE, CAP_NET_BROADCAST,
    CAP_NET_RAW, CAP_SETFCAP, CAP_SETGID, CAP_SETPCAP, CAP_SETUID, CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_SYS_CHROOT,
    CAP_SYS_NICE, CAP_SYS_PTRACE, CAP_SYS_RESOURCE, CAP_SYS_TTY_CONFIG);

// The five sets of a process.
struct CapabilitySets {
    CapabilityMask effective = 0;
    CapabilityMask permitted = 0;
    CapabilityMask inheritable = 0;
    CapabilityMask bounding = 0;
    CapabilityMask ambient = 0;

    bool operator==(const CapabilitySets&) const = default;
};

// "CAP_KILL" in any case, prefix needed, or a number below 64 (the kernel may know more than this build).
std::optional<unsigned> parse_capability(std::string_view text);
// "CAP_KILL"; the number for one without a name.
std::string capability_name(unsigned number);
// "CAP_CHOWN CAP_KILL" in the kernel's order; "" for none.
std::string format_capabilities(CapabilityMask mask);

// Those the running kernel knows.
CapabilityMask all_capabilities();

// From /proc/self/status: all five sets in one read, where prctl(2) would take two calls per capability.
Result<CapabilitySets> read_own_capabilities();
// The same from the text of any process's status file; no value when a line is missing or malformed.
std::optional<CapabilitySets> parse_capability_status(std::string_view status);

// Irrevocable. Needs CAP_SETPCAP unless everything outside `retained` is gone already. `present`: what the set is known
// to hold, so that nothing else is tried.
Result<void> drop_bounding_set_except(CapabilityMask retained, CapabilityMask present = ~CapabilityMask{0});
// Effective, permitted, inheritable and ambient; `bounding` is not looked at.
Result<void> set_capabilities(const CapabilitySets& sets);

} // namespace nspawn
