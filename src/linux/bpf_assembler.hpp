// bpf_assembler.hpp — writes a classic BPF program from its end to its beginning.
//
// Jumps of classic BPF only go forward, and conditional ones reach 255 instructions. Written backwards, every target
// exists before the jump to it, and one that came out of reach gets a stepping stone right here, so no pass over
// the program is needed afterwards. Knows the instruction set, nothing of system calls. Source: the kernel's
// Documentation/networking/filter.rst, seccomp(2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <linux/filter.h>

namespace nspawn {

class BpfAssembler {
public:
    // An instruction, by its distance from the end of the program (1: the last one).
    using Label = uint32_t;

    explicit BpfAssembler(size_t expected_size);

    // Each returns the label of what it wrote, or of an instruction written before that does the same.
    Label answer(uint32_t value);                                 // return `value`
    Label load(uint32_t offset, Label next);                      // A = 32 bits of seccomp_data
    Label branch(uint16_t test, uint32_t k, Label yes, Label no); // test: BPF_JEQ, BPF_JGE, BPF_JSET

    // The program; its first instruction is the one written last.
    std::vector<sock_filter> finish() &&;

private:
    Label write(uint16_t code, uint32_t k, uint8_t jump_true = 0, uint8_t jump_false = 0);
    Label write_answer(uint32_t value);
    Label within_reach(Label target);
    [[nodiscard]] Label last() const { return static_cast<Label>(backwards_.size()); }

    // The latest copy of each answer; a program has few different ones, and more are only not shared.
    struct Answer {
        uint32_t value = 0;
        Label label = 0; // 0: free place
    };

    std::vector<sock_filter> backwards_;
    std::array<Answer, 8> answers_{};
};

} // namespace nspawn
