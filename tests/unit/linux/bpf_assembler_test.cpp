#include "bpf_interpreter.hpp"
#include "linux/bpf_assembler.hpp"

#include <gtest/gtest.h>

#include <cstddef>

namespace nspawn {
namespace {

uint32_t answer_for(const std::vector<sock_filter>& program, uint32_t number) {
    seccomp_data data{};
    data.nr = static_cast<int>(number);
    return test::interpret(program, data).answer;
}

TEST(BpfAssembler, BranchesBothWays) {
    BpfAssembler bpf(8);
    const auto yes = bpf.answer(1);
    const auto no = bpf.answer(2);
    bpf.load(offsetof(seccomp_data, nr), bpf.branch(BPF_JEQ, 7, yes, no));
    const auto program = std::move(bpf).finish();
    EXPECT_EQ(program.size(), 4U);
    EXPECT_EQ(answer_for(program, 7), 1U);
    EXPECT_EQ(answer_for(program, 8), 2U);
}

TEST(BpfAssembler, SharesAnAnswerThatIsNear) {
    BpfAssembler bpf(8);
    const auto first = bpf.answer(1);
    bpf.answer(2);
    EXPECT_EQ(bpf.answer(1), first);
}

TEST(BpfAssembler, LoadJumpsWhereTheNextInstructionIsNotTheLastWritten) {
    BpfAssembler bpf(8);
    const auto wanted = bpf.answer(1);
    bpf.answer(2);
    bpf.load(offsetof(seccomp_data, nr), wanted);
    EXPECT_EQ(answer_for(std::move(bpf).finish(), 0), 1U);
}

// A chain of tests much longer than a conditional jump reaches: every answer must still be found.
TEST(BpfAssembler, ReachesFarTargetsOverSteppingStones) {
    constexpr uint32_t kTests = 1000;
    BpfAssembler bpf(16);
    const auto far_test = bpf.branch(BPF_JGE, 5000, bpf.answer(71), bpf.answer(72));
    auto next = bpf.answer(99);
    for (uint32_t i = kTests; i > 0; --i) {
        next = bpf.branch(BPF_JEQ, i, i % 3 == 0 ? far_test : bpf.answer(i % 20), next);
    }
    bpf.load(offsetof(seccomp_data, nr), next);
    const auto program = std::move(bpf).finish();
    for (uint32_t i = 1; i <= kTests; ++i) {
        EXPECT_EQ(answer_for(program, i), i % 3 == 0 ? 72 : i % 20) << i;
    }
    EXPECT_EQ(answer_for(program, 0), 99U);
    EXPECT_EQ(answer_for(program, kTests + 1), 99U);
}

// What a random tree answers must be what the comparisons say, whatever its size.
TEST(BpfAssembler, SkippedDistancesAreExactAtTheLimit) {
    for (uint32_t padding = 240; padding < 270; ++padding) {
        BpfAssembler bpf(16);
        const auto target = bpf.branch(BPF_JSET, 1, bpf.answer(11), bpf.answer(12));
        for (uint32_t i = 0; i < padding; ++i) {
            bpf.load(offsetof(seccomp_data, nr), target + i);
        }
        const auto other = bpf.answer(13);
        bpf.load(offsetof(seccomp_data, nr), bpf.branch(BPF_JGE, 100, target, other));
        const auto program = std::move(bpf).finish();
        EXPECT_EQ(answer_for(program, 101), 11U) << padding;
        EXPECT_EQ(answer_for(program, 100), 12U) << padding;
        EXPECT_EQ(answer_for(program, 99), 13U) << padding;
    }
}

} // namespace
} // namespace nspawn
