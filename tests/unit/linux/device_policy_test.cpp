#include "linux/device_policy.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>

namespace nspawn {
namespace {

using namespace device_access;

// The few instructions that device_program() uses, as bpf's instruction set defines them. Anything else, a jump out of
// the program or a read of a register that was not written fails the test.
class Interpreter {
public:
    explicit Interpreter(std::vector<bpf_insn> program) : program_(std::move(program)) {}

    uint64_t run(uint32_t access, DeviceType type, uint32_t major, uint32_t minor) {
        const uint32_t kind = type == DeviceType::block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
        context_ = {access << 16 | kind, major, minor};
        written_ = {false, true};
        for (size_t at = 0; at < program_.size(); ++at) {
            const bpf_insn& insn = program_[at];
            if (insn.code == (BPF_JMP | BPF_EXIT)) {
                return value(BPF_REG_0);
            }
            at += step(insn, at);
        }
        ADD_FAILURE() << "ran off the end";
        return 0;
    }

private:
    uint64_t value(unsigned index) {
        EXPECT_TRUE(written_.at(index)) << "register " << index << " is read before it is written";
        return registers_.at(index);
    }

    void set(unsigned index, uint64_t value) {
        registers_.at(index) = value;
        written_.at(index) = true;
    }

    static uint64_t calculate(int operation, uint64_t a, uint64_t b, unsigned bits) {
        switch (operation) {
        case BPF_MOV:
            return b;
        case BPF_AND:
            return a & b;
        case BPF_OR:
            return a | b;
        case BPF_XOR:
            return a ^ b;
        case BPF_SUB:
            return a - b;
        case BPF_RSH:
            return a >> (b & (bits - 1));
        default:
            ADD_FAILURE() << "operation " << operation;
            return 0;
        }
    }

    // Returns how many instructions to skip.
    size_t step(const bpf_insn& insn, size_t at) {
        const uint64_t immediate = static_cast<uint64_t>(int64_t{insn.imm});
        const bool from_register = (insn.code & BPF_X) != 0;
        switch (insn.code & 7) {
        case BPF_LDX:
            EXPECT_EQ(insn.code, BPF_LDX | BPF_W | BPF_MEM);
            EXPECT_EQ(insn.src_reg, BPF_REG_1);
            set(insn.dst_reg, context_.at(static_cast<size_t>(insn.off) / 4));
            return 0;
        case BPF_LD:
            EXPECT_EQ(insn.code, BPF_LD | BPF_DW | BPF_IMM);
            set(insn.dst_reg,
                uint64_t{static_cast<uint32_t>(program_.at(at + 1).imm)} << 32 | static_cast<uint32_t>(insn.imm));
            return 1;
        case BPF_ALU:
        case BPF_ALU64: {
            const bool narrow = (insn.code & 7) == BPF_ALU;
            const int operation = insn.code & 0xf0;
            const uint64_t keep = narrow ? 0xffffffff : ~uint64_t{0};
            const uint64_t left = operation == BPF_MOV ? 0 : value(insn.dst_reg) & keep;
            const uint64_t right = (from_register ? value(insn.src_reg) : immediate) & keep;
            set(insn.dst_reg, calculate(operation, left, right, narrow ? 32 : 64) & keep);
            return 0;
        }
        default:
            EXPECT_EQ(insn.code, BPF_JMP | BPF_JNE | BPF_K);
            EXPECT_LT(at + 1 + static_cast<size_t>(insn.off), program_.size());
            return value(insn.dst_reg) != immediate ? static_cast<size_t>(insn.off) : 0;
        }
    }

    std::vector<bpf_insn> program_;
    std::array<uint32_t, 3> context_{};
    std::array<uint64_t, 11> registers_{};
    std::array<bool, 11> written_{};
};

// What the rules mean, without any program.
bool allowed(std::span<const DeviceRule> rules, uint32_t access, DeviceType type, uint32_t major, uint32_t minor) {
    uint32_t exact = 0;
    uint32_t every = 0;
    for (const DeviceRule& rule : rules) {
        if (rule.type == type && rule.major == major) {
            exact |= rule.minor == minor ? rule.access : 0U;
            every |= !rule.minor ? rule.access : 0U;
        }
    }
    return (access & ~exact) == 0 || (access & ~every) == 0;
}

void expect_program_means(std::span<const DeviceRule> rules) {
    Interpreter program(device_program(rules));
    for (const DeviceType type : {DeviceType::block, DeviceType::character}) {
        for (const uint32_t major : {0U, 1U, 2U, 5U, 8U, 10U, 136U, 137U, 254U, 0xfffU}) {
            for (uint32_t minor = 0; minor <= 300; ++minor) {
                for (uint32_t access = 1; access <= kAll; ++access) {
                    ASSERT_EQ(program.run(access, type, major, minor) == 1, allowed(rules, access, type, major, minor))
                        << static_cast<int>(type) << " " << major << ":" << minor << " access " << access;
                }
            }
        }
    }
}

TEST(DeviceProgram, WithoutRulesRefusesAll) { expect_program_means({}); }

TEST(DeviceProgram, MeansTheDefaultRules) { expect_program_means(default_device_rules()); }

TEST(DeviceProgram, MeansRulesOfAllKinds) {
    const std::array rules = {
        DeviceRule{DeviceType::block, 8, 0, kRead},      DeviceRule{DeviceType::block, 8, 63, kRead},
        DeviceRule{DeviceType::block, 8, 64, kRead},     DeviceRule{DeviceType::block, 8, 200, kRead},
        DeviceRule{DeviceType::character, 8, 1, kWrite}, DeviceRule{DeviceType::character, 254, {}, kUse},
        DeviceRule{DeviceType::character, 254, 7, kAll}, DeviceRule{DeviceType::block, 0xfff, 300, kMake},
        DeviceRule{DeviceType::character, 0, 0, kMake},
    };
    expect_program_means(rules);
}

TEST(DeviceProgram, AccessesOfOneDeviceAddUp) {
    const std::array rules = {DeviceRule{DeviceType::character, 1, 11, kRead},
                              DeviceRule{DeviceType::character, 1, 11, kWrite}};
    Interpreter program(device_program(rules));
    EXPECT_EQ(program.run(kUse, DeviceType::character, 1, 11), 1U);
    EXPECT_EQ(program.run(kAll, DeviceType::character, 1, 11), 0U);
}

TEST(DeviceProgram, LargestNumbers) {
    const std::array rules = {DeviceRule{DeviceType::character, 0xfff, 0xfffff, kUse}};
    Interpreter program(device_program(rules));
    EXPECT_EQ(program.run(kUse, DeviceType::character, 0xfff, 0xfffff), 1U);
    EXPECT_EQ(program.run(kUse, DeviceType::character, 0xfff, 0xffffe), 0U);
    EXPECT_EQ(program.run(kUse, DeviceType::character, 0xfff, 15), 0U); // 0xfffff + 16, wrapped
}

TEST(DefaultDeviceRules, LetTheHostsDisksAndLogAlone) {
    const auto rules = default_device_rules();
    EXPECT_FALSE(allowed(rules, kRead, DeviceType::character, 1, 11)); // kmsg
    EXPECT_FALSE(allowed(rules, kRead, DeviceType::character, 1, 1));  // mem
    EXPECT_FALSE(allowed(rules, kRead, DeviceType::block, 8, 0));
    EXPECT_FALSE(allowed(rules, kMake, DeviceType::character, 136, 0)); // a pts is made by its file system only
    EXPECT_FALSE(allowed(rules, kUse, DeviceType::character, 5, 1));    // the host's console
    EXPECT_TRUE(allowed(rules, kAll, DeviceType::character, 10, 200));
}

TEST(DeviceListLine, IsInTheControllersForm) {
    EXPECT_EQ(device_list_line({DeviceType::character, 1, 3, kAll}), "c 1:3 rwm");
    EXPECT_EQ(device_list_line({DeviceType::block, 8, {}, kRead}), "b 8:* r");
    EXPECT_EQ(device_list_line({DeviceType::character, 136, {}, kUse}), "c 136:* rw");
}

} // namespace
} // namespace nspawn
