// seccomp_filter.hpp — the container's system call filter as one BPF program, and loading it.
//
// One program serves every architecture the kernel runs: a balanced tree of number intervals for each, made from
// build-time tables in microseconds. Allowed calls go through; known ones that are not allowed answer EPERM; numbers
// this build does not know answer ENOSYS, so that software falls back as on an older kernel; an architecture it does
// not know kills the process. Arguments are looked at only at the leaves of the few calls that need it: a path
// without such a look is constant, and kernels since 5.11 then answer the call without running the program.
//
// Arguments are compared as the kernel takes them, by their low 32 bits: the high half is noise a caller may choose.
// Behind a pointer nothing can be seen, so AUDIT sockets made through i386's or s390's socketcall(2) pass.
// Source: seccomp(2), systemd-nspawn(1) --system-call-filter=, --suppress-sync=.
#pragma once

#include "base/result.hpp"
#include "linux/syscall_policy.hpp"

#include <span>
#include <string_view>
#include <vector>

#include <linux/filter.h>

namespace nspawn {

std::vector<sock_filter> build_filter(const FilterPolicy& policy);

// What a policy comes to, for a person to read.
struct FilterSummary {
    struct Architecture {
        std::string_view name;
        size_t allowed = 0;
        size_t refused = 0; // known, answered EPERM
    };
    std::vector<Architecture> architectures;
    size_t instructions = 0;
};
FilterSummary describe_filter(const FilterPolicy& policy);

// Log: refused calls go to the audit log, where the kernel's seccomp.actions_logged has "errno".
enum class LogRefusals { no, yes };

// For the calling thread and what it starts, irrevocably. The caller sees to no_new_privs or CAP_SYS_ADMIN.
Result<void> load_filter(std::span<const sock_filter> program, LogRefusals log = LogRefusals::no);

} // namespace nspawn
