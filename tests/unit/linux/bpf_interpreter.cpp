#include "bpf_interpreter.hpp"

#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace nspawn::test {

namespace {

uint32_t read_word(const seccomp_data& data, uint32_t offset) {
    if (offset % sizeof(uint32_t) != 0 || offset + sizeof(uint32_t) > sizeof data) {
        throw std::runtime_error("BPF: load outside of seccomp_data");
    }
    uint32_t word = 0;
    std::memcpy(&word, reinterpret_cast<const char*>(&data) + offset, sizeof word);
    return word;
}

bool is_true(uint16_t test, uint32_t accumulator, uint32_t k) {
    switch (test) {
    case BPF_JEQ:
        return accumulator == k;
    case BPF_JGE:
        return accumulator >= k;
    case BPF_JGT:
        return accumulator > k;
    case BPF_JSET:
        return (accumulator & k) != 0;
    default:
        throw std::runtime_error("BPF: unknown test");
    }
}

} // namespace

BpfOutcome interpret(std::span<const sock_filter> program, const seccomp_data& data) {
    BpfOutcome outcome;
    uint32_t accumulator = 0;
    for (size_t at = 0; at < program.size(); ++at) {
        const sock_filter& instruction = program[at];
        ++outcome.steps;
        switch (instruction.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            accumulator = read_word(data, instruction.k);
            outcome.looked_at_arguments |= instruction.k >= offsetof(seccomp_data, instruction_pointer);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            accumulator &= instruction.k;
            break;
        case BPF_JMP | BPF_JA:
            at += instruction.k;
            break;
        case BPF_RET | BPF_K:
            outcome.answer = instruction.k;
            return outcome;
        default:
            if (BPF_CLASS(instruction.code) != BPF_JMP || BPF_SRC(instruction.code) != BPF_K) {
                throw std::runtime_error("BPF: unknown instruction");
            }
            at += is_true(BPF_OP(instruction.code), accumulator, instruction.k) ? instruction.jt : instruction.jf;
        }
    }
    throw std::runtime_error("BPF: ran off the end of the program");
}

uint32_t more_restrictive(uint32_t later, uint32_t earlier) {
    const auto rank = [](uint32_t value) { return static_cast<int32_t>(value & SECCOMP_RET_ACTION_FULL); };
    return rank(later) <= rank(earlier) ? later : earlier;
}

} // namespace nspawn::test
