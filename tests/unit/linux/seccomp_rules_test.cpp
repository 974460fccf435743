#include "bpf_interpreter.hpp"
#include "linux/seccomp_rules.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include <linux/audit.h>
#include <sys/syscall.h>

namespace nspawn {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kNative = AUDIT_ARCH_X86_64;

uint32_t answer(const SeccompRules& rules, int number, std::array<uint64_t, 3> arguments = {},
                uint32_t arch = kNative) {
    seccomp_data data{};
    data.nr = number;
    data.arch = arch;
    for (size_t i = 0; i < arguments.size(); ++i) {
        data.args[i] = arguments[i];
    }
    return test::interpret(build_rule_filter(rules), data).answer;
}

constexpr uint32_t kRefused = SECCOMP_RET_ERRNO | EPERM;

SeccompRules refusing(std::vector<SeccompArgument> arguments) {
    return {.default_action = SECCOMP_RET_ALLOW,
            .architectures = {},
            .rules = {{.names = {"read"}, .action = kRefused, .arguments = std::move(arguments)}}};
}

TEST(SeccompRules, NamesAndDefault) {
    const SeccompRules rules{
        .default_action = kRefused,
        .architectures = {},
        .rules = {{.names = {"read", "no_such_call", "write"}, .action = SECCOMP_RET_ALLOW, .arguments = {}}}};
    EXPECT_EQ(answer(rules, SYS_read), SECCOMP_RET_ALLOW);
    EXPECT_EQ(answer(rules, SYS_write), SECCOMP_RET_ALLOW);
    EXPECT_EQ(answer(rules, SYS_close), kRefused);
    EXPECT_EQ(answer(rules, 100'000), kRefused);
}

TEST(SeccompRules, OnlyListedArchitecturesAndTheNativeOne) {
    SeccompRules rules{.default_action = SECCOMP_RET_ALLOW, .architectures = {}, .rules = {}};
    EXPECT_EQ(answer(rules, SYS_read), SECCOMP_RET_ALLOW);
    EXPECT_EQ(answer(rules, 3, {}, AUDIT_ARCH_I386), SECCOMP_RET_KILL_PROCESS);
    rules.architectures = {"x86"};
    EXPECT_EQ(answer(rules, 3, {}, AUDIT_ARCH_I386), SECCOMP_RET_ALLOW);
    EXPECT_EQ(answer(rules, SYS_read, {}, AUDIT_ARCH_AARCH64), SECCOMP_RET_KILL_PROCESS);
}

TEST(SeccompRules, ComparisonsOfAll64Bits) {
    struct Case {
        SeccompComparison comparison;
        uint64_t value;
        std::vector<uint64_t> match;
        std::vector<uint64_t> differ;
    };
    constexpr uint64_t kHigh = 0x100000000;
    const Case cases[] = {
        {SeccompComparison::equal, kHigh + 5, {kHigh + 5}, {5, kHigh, kHigh + 6}},
        {SeccompComparison::not_equal, kHigh + 5, {5, kHigh, 0}, {kHigh + 5}},
        {SeccompComparison::less, kHigh + 5, {0, kHigh + 4, 0xffffffff}, {kHigh + 5, kHigh + 6, 2 * kHigh}},
        {SeccompComparison::less_or_equal, kHigh + 5, {kHigh + 5, 6}, {kHigh + 6, 2 * kHigh}},
        {SeccompComparison::greater, kHigh + 5, {kHigh + 6, 2 * kHigh}, {kHigh + 5, kHigh + 4, 0xffffffff}},
        {SeccompComparison::greater_or_equal, kHigh + 5, {kHigh + 5, 3 * kHigh}, {kHigh + 4, 6}},
        {SeccompComparison::greater, UINT64_MAX, {}, {UINT64_MAX, 0}},
    };
    for (const Case& each : cases) {
        const SeccompRules rules = refusing({{.index = 1, .comparison = each.comparison, .value = each.value}});
        for (const uint64_t value : each.match) {
            EXPECT_EQ(answer(rules, SYS_read, {0, value, 0}), kRefused)
                << static_cast<int>(each.comparison) << " " << value;
        }
        for (const uint64_t value : each.differ) {
            EXPECT_EQ(answer(rules, SYS_read, {0, value, 0}), SECCOMP_RET_ALLOW)
                << static_cast<int>(each.comparison) << " " << value;
        }
    }
}

TEST(SeccompRules, MaskedComparison) {
    const uint64_t mask = 0xf0000000f0;
    const SeccompRules rules =
        refusing({{.index = 0, .comparison = SeccompComparison::masked_equal, .value = mask, .second = 0x3000000050}});
    EXPECT_EQ(answer(rules, SYS_read, {0x3000000050, 0, 0}), kRefused);
    EXPECT_EQ(answer(rules, SYS_read, {0xffffff3f0000005a, 0, 0}), kRefused)
        << "what the mask takes away does not count";
    EXPECT_EQ(answer(rules, SYS_read, {0x3000000051 ^ 0x10, 0, 0}), SECCOMP_RET_ALLOW);
    EXPECT_EQ(answer(rules, SYS_read, {0x7000000050, 0, 0}), SECCOMP_RET_ALLOW);
    const SeccompRules never =
        refusing({{.index = 0, .comparison = SeccompComparison::masked_equal, .value = 0xf, .second = 0x10}});
    EXPECT_EQ(answer(never, SYS_read, {0x10, 0, 0}), SECCOMP_RET_ALLOW);
}

TEST(SeccompRules, AllComparisonsOfOneRuleAndTheFirstRuleThatHolds) {
    SeccompRules rules = refusing({{.index = 0, .comparison = SeccompComparison::equal, .value = 1},
                                   {.index = 1, .comparison = SeccompComparison::equal, .value = 2}});
    EXPECT_EQ(answer(rules, SYS_read, {1, 2, 0}), kRefused);
    EXPECT_EQ(answer(rules, SYS_read, {1, 3, 0}), SECCOMP_RET_ALLOW);
    rules.rules.push_back({.names = {"read"}, .action = SECCOMP_RET_TRAP, .arguments = {}});
    EXPECT_EQ(answer(rules, SYS_read, {1, 2, 0}), kRefused);
    EXPECT_EQ(answer(rules, SYS_read, {1, 3, 0}), SECCOMP_RET_TRAP);
}
#endif

} // namespace
} // namespace nspawn
