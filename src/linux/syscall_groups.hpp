// syscall_groups.hpp — the groups of system calls a user can name, what a container may use, and which calls have
// their arguments looked at.
//
// Owns names only. The numbers are looked up at build time (tools/generate_syscall_tables.cpp), which is the one
// reader of this table besides the tests: nothing of it is linked into nspawn. Sources: systemd.exec(5)
// SystemCallFilter= and the listing of `systemd-analyze syscall-filter` for the groups, systemd-nspawn(1)
// --system-call-filter= for what is allowed by default.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace nspawn {

// `members` are names and "@groups" separated by blanks. A name that starts with '%' is our own, for calls that the
// default list allows one by one; no user can write it.
struct SyscallGroup {
    std::string_view name;
    std::string_view members;
};
std::span<const SyscallGroup> syscall_groups();

// Every call of the tables is a member of this group; it is not in syscall_groups().
constexpr std::string_view kKnownGroup = "@known";

// A group the payload may use, always or only when it retains a capability.
constexpr int kAlways = -1;
struct DefaultGrant {
    int capability; // CAP_* or kAlways
    std::string_view group;
};
std::span<const DefaultGrant> default_grants();

// What the filter asks about the arguments of a call it knows.
enum class ArgumentRule : uint8_t {
    none,
    audit_socket, // (family, type, protocol)
    open_flags_1, // flags are argument 1
    open_flags_2, // flags are argument 2
    sync_of_fd,   // argument 0 is what to sync
    sync_of_all,
    beyond_sight,   // could sync or open with O_SYNC behind a pointer
    terminal_ioctl, // (fd, request)
};
struct ArgumentRuleRow {
    std::string_view name;
    ArgumentRule rule;
};
std::span<const ArgumentRuleRow> argument_rules();

} // namespace nspawn
