// bpf_interpreter.hpp — runs a classic BPF program as seccomp(2) would, in the test's own process.
//
// Knows the instructions that filters are made of here and at libseccomp's; any other, and any jump or read out of
// bounds, is an exception: a program the kernel would refuse must not pass a test. Source: the kernel's
// Documentation/networking/filter.rst and Documentation/userspace-api/seccomp_filter.rst.
#pragma once

#include <cstdint>
#include <span>

#include <linux/filter.h>
#include <linux/seccomp.h>

namespace nspawn::test {

struct BpfOutcome {
    uint32_t answer = 0;
    bool looked_at_arguments = false; // then the kernel cannot keep the answer in its bitmap of constant actions
    unsigned steps = 0;
};
BpfOutcome interpret(std::span<const sock_filter> program, const seccomp_data& data);

// Of two filters' answers the kernel takes the more restrictive, and of equally restrictive ones the later filter's.
uint32_t more_restrictive(uint32_t later, uint32_t earlier);

} // namespace nspawn::test
