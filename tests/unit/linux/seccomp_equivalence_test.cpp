// Our one program against libseccomp's stack of filters: every number of every architecture, every capability set
// that changes the filter, and the arguments that matter.
#include "bpf_interpreter.hpp"
#include "linux/seccomp_filter.hpp"
#include "linux/syscall_tables.hpp"
#include "seccomp_oracle.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace nspawn {
namespace {

using test::interpret;
using test::SeccompOracle;

constexpr uint32_t kX32Bit = 0x40000000;

seccomp_data make_call(uint32_t arch, uint32_t number, std::initializer_list<uint64_t> arguments = {}) {
    seccomp_data data{};
    data.nr = static_cast<int>(number);
    data.arch = arch;
    std::copy(arguments.begin(), arguments.end(), data.args);
    return data;
}

std::set<uint32_t> audit_architectures() {
    std::set<uint32_t> architectures;
    for (const SyscallInterface& interface : syscall_interfaces()) {
        architectures.insert(interface.audit_arch);
    }
    return architectures;
}

std::vector<uint32_t> numbers_to_try() {
    std::vector<uint32_t> numbers{0x0f0000,   0x0f0002,   0x0f0005,   0x3fffffff, 0x40000400,
                                  0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    for (uint32_t number = 0; number < 1024; ++number) {
        numbers.push_back(number);
        numbers.push_back(number | kX32Bit);
    }
    for (uint32_t number = 4000; number < 7000; number += 7) {
        numbers.push_back(number);
    }
    return numbers;
}

// Calls that our tables know and this libseccomp does not: the generator adds some that are younger than it.
std::set<std::pair<uint32_t, uint32_t>> beyond_the_oracle() {
    std::set<std::pair<uint32_t, uint32_t>> calls;
    for (const SyscallInterface& interface : syscall_interfaces()) {
        for (const SyscallNumber& entry : interface.numbers) {
            if (!test::oracle_knows(std::string(text_of(syscall_names()[entry.name])))) {
                calls.emplace(interface.audit_arch, entry.number);
            }
        }
    }
    return calls;
}

std::string describe(const seccomp_data& data) {
    return fmt::format("architecture {:#x}, number {:#x}, arguments {:#x} {:#x} {:#x}", data.arch,
                       static_cast<uint32_t>(data.nr), data.args[0], data.args[1], data.args[2]);
}

void expect_agreement(const FilterPolicy& policy, const std::vector<seccomp_data>& calls) {
    static const auto beyond = beyond_the_oracle();
    const auto program = build_filter(policy);
    const SeccompOracle oracle(policy);
    size_t differences = 0;
    for (const seccomp_data& data : calls) {
        if (beyond.contains({data.arch, static_cast<uint32_t>(data.nr)})) {
            continue;
        }
        const uint32_t ours = interpret(program, data).answer;
        const uint32_t theirs = oracle.answer(data);
        if (ours != theirs && ++differences < 10) {
            ADD_FAILURE() << describe(data) << ": ours " << std::hex << ours << ", libseccomp's " << theirs;
        }
    }
    EXPECT_EQ(differences, 0U) << "capabilities " << format_capabilities(policy.retained);
}

const std::vector<seccomp_data>& every_number() {
    static const std::vector<seccomp_data> calls = [] {
        std::vector<seccomp_data> list;
        for (const uint32_t arch : audit_architectures()) {
            for (const uint32_t number : numbers_to_try()) {
                list.push_back(make_call(arch, number));
            }
        }
        return list;
    }();
    return calls;
}

// The capabilities that open a group, in the order of the table.
std::vector<int> deciding_capabilities() {
    std::vector<int> capabilities;
    for (const SyscallGrant& grant : syscall_grants()) {
        if (grant.capability != kAlways) {
            capabilities.push_back(grant.capability);
        }
    }
    return capabilities;
}

FilterPolicy policy_for(CapabilityMask retained) {
    FilterPolicy policy;
    policy.retained = retained;
    return policy;
}

class CapabilitySetsThatMatter : public testing::TestWithParam<unsigned> {};

// In eight parts, so that a failure names its part and the parts can run side by side.
constexpr unsigned kParts = 8;

TEST_P(CapabilitySetsThatMatter, GiveTheFilterThatLibseccompGives) {
    const std::vector<int> capabilities = deciding_capabilities();
    for (unsigned set = GetParam(); set < 1U << capabilities.size(); set += kParts) {
        CapabilityMask retained = 0;
        for (size_t i = 0; i < capabilities.size(); ++i) {
            if ((set >> i & 1) != 0) {
                retained |= capability_bit(static_cast<unsigned>(capabilities[i]));
            }
        }
        expect_agreement(policy_for(retained), every_number());
    }
}

INSTANTIATE_TEST_SUITE_P(All, CapabilitySetsThatMatter, testing::Range(0U, kParts));

TEST(FilterEquivalence, OtherCapabilitiesChangeNothing) {
    CapabilityMask others = ~CapabilityMask{0};
    for (const int capability : deciding_capabilities()) {
        others &= ~capability_bit(static_cast<unsigned>(capability));
    }
    const auto with = build_filter(policy_for(others));
    const auto without = build_filter(policy_for(0));
    ASSERT_EQ(with.size(), without.size());
    for (const seccomp_data& data : every_number()) {
        ASSERT_EQ(interpret(with, data).answer, interpret(without, data).answer) << describe(data);
    }
}

// Without the user's names the filter comes from runs merged at build time, with them from all numbers: both ways must
// end in the same program.
TEST(FilterEquivalence, RunsAndNumbersGiveTheSameProgram) {
    const auto same = [](const sock_filter& a, const sock_filter& b) {
        return a.code == b.code && a.jt == b.jt && a.jf == b.jf && a.k == b.k;
    };
    for (const CapabilityMask retained : {CapabilityMask{0}, kDefaultRetainedCapabilities, ~CapabilityMask{0}}) {
        for (const bool suppress_sync : {false, true}) {
            FilterPolicy policy = policy_for(retained);
            policy.suppress_sync = suppress_sync;
            policy.forbid_terminal_injection = suppress_sync;
            const auto from_runs = build_filter(policy);
            policy.deny = {"no_such_call"};
            const auto from_numbers = build_filter(policy);
            EXPECT_TRUE(std::ranges::equal(from_runs, from_numbers, same));
        }
    }
}

TEST(FilterEquivalence, UsersNamesAndGroups) {
    struct Lists {
        std::vector<std::string> allow;
        std::vector<std::string> deny;
    };
    const Lists cases[] = {
        {{"@keyring"}, {}},
        {{"bpf", "perf_event_open"}, {}},
        {{"@known"}, {}},
        {{"@known"}, {"@mount", "reboot"}},
        {{}, {"@mount"}},
        {{}, {"mount", "umount2"}},
        {{"mount"}, {"@mount"}},       // the name stays
        {{"mount"}, {"mount"}},        // refusal wins
        {{"@privileged"}, {"@mount"}}, // chroot and pivot_root stay, through @privileged
        {{"@privileged"}, {"@swap"}},  // a group named by a group
        {{}, {"@sandbox"}},            // only @default names it
        {{}, {"@default"}},
        {{"@system-service"}, {"@default"}},
        {{"@obsolete", "@cpu-emulation", "@pkey"}, {"@file-system", "open", "clone3"}},
        {{"nonsense", "@nonsense", ""}, {"nonsense", "%singles", "%acct"}},
    };
    for (const Lists& lists : cases) {
        FilterPolicy policy = policy_for(kDefaultRetainedCapabilities);
        policy.allow = lists.allow;
        policy.deny = lists.deny;
        SCOPED_TRACE(fmt::format("allow {}, deny {}", fmt::join(lists.allow, " "), fmt::join(lists.deny, " ")));
        expect_agreement(policy, every_number());
    }
}

// Values the rules look for and their neighbours, with noise in the high half that no rule may see.
std::vector<seccomp_data> calls_with_arguments() {
    constexpr uint64_t kNoise = 0xabcd123400000000;
    constexpr uint64_t kFirst[] = {0, AF_NETLINK, AF_NETLINK | kNoise, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX};
    constexpr uint64_t kSecond[] = {0,       O_DSYNC,          O_SYNC & ~O_DSYNC, O_SYNC | O_CREAT,   O_DSYNC | kNoise,
                                    TIOCSTI, TIOCSTI | kNoise, TIOCLINUX,         TIOCLINUX | kNoise, TIOCGWINSZ};
    constexpr uint64_t kThird[] = {0,      NETLINK_AUDIT,    NETLINK_AUDIT | kNoise, O_DSYNC, O_SYNC & ~O_DSYNC,
                                   O_SYNC, O_DSYNC | kNoise, O_CREAT | kNoise};
    std::vector<seccomp_data> calls;
    for (const SyscallInterface& interface : syscall_interfaces()) {
        for (const SyscallNumber& entry : interface.numbers) {
            if (syscall_names()[entry.name].rule == ArgumentRule::none) {
                continue;
            }
            for (const uint64_t a : kFirst) {
                for (const uint64_t b : kSecond) {
                    for (const uint64_t c : kThird) {
                        calls.push_back(make_call(interface.audit_arch, entry.number, {a, b, c}));
                    }
                }
            }
        }
    }
    return calls;
}

TEST(FilterEquivalence, Arguments) {
    const std::vector<seccomp_data> calls = calls_with_arguments();
    for (const bool suppress_sync : {false, true}) {
        for (const bool forbid_terminal_injection : {false, true}) {
            FilterPolicy policy = policy_for(kDefaultRetainedCapabilities);
            policy.suppress_sync = suppress_sync;
            policy.forbid_terminal_injection = forbid_terminal_injection;
            policy.allow = {"open_by_handle_at"};
            expect_agreement(policy, calls);
            expect_agreement(policy, every_number());
        }
    }
}

TEST(FilterEquivalence, ArgumentsOfRefusedCalls) {
    FilterPolicy policy = policy_for(kDefaultRetainedCapabilities);
    policy.suppress_sync = true;
    policy.deny = {"fsync", "syncfs", "sync", "openat2", "open", "socket", "ioctl"};
    policy.forbid_terminal_injection = true;
    expect_agreement(policy, calls_with_arguments());
}

} // namespace
} // namespace nspawn
