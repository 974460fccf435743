#include "linux/bpf_assembler.hpp"

#include <algorithm>
#include <utility>

namespace nspawn {

namespace {

// A conditional jump skips at most 255; two stepping stones may come between it and its targets.
constexpr uint32_t kReach = 253;
// An answer this near is used again; farther ones would soon need a stepping stone, which is no shorter than a copy.
constexpr uint32_t kNear = 200;

} // namespace

BpfAssembler::BpfAssembler(size_t expected_size) { backwards_.reserve(expected_size); }

BpfAssembler::Label BpfAssembler::write(uint16_t code, uint32_t k, uint8_t jump_true, uint8_t jump_false) {
    backwards_.push_back({code, jump_true, jump_false, k});
    return last();
}

BpfAssembler::Label BpfAssembler::write_answer(uint32_t value) {
    const Label label = write(BPF_RET | BPF_K, value);
    for (Answer& known : answers_) {
        if (known.label == 0 || known.value == value) {
            known = {value, label};
            break;
        }
    }
    return label;
}

BpfAssembler::Label BpfAssembler::answer(uint32_t value) {
    for (const Answer& known : answers_) {
        if (known.label != 0 && known.value == value && last() - known.label < kNear) {
            return known.label;
        }
    }
    return write_answer(value);
}

BpfAssembler::Label BpfAssembler::within_reach(Label target) {
    if (last() - target <= kReach) {
        return target;
    }
    const sock_filter& goal = backwards_[target - 1];
    if (goal.code == (BPF_RET | BPF_K)) {
        return write_answer(goal.k);
    }
    return write(BPF_JMP | BPF_JA, last() - target);
}

BpfAssembler::Label BpfAssembler::load(uint32_t offset, Label next) {
    if (next != last()) {
        write(BPF_JMP | BPF_JA, last() - next);
    }
    return write(BPF_LD | BPF_W | BPF_ABS, offset);
}

BpfAssembler::Label BpfAssembler::branch(uint16_t test, uint32_t k, Label yes, Label no) {
    yes = within_reach(yes);
    no = within_reach(no);
    return write(static_cast<uint16_t>(BPF_JMP | test | BPF_K), k, static_cast<uint8_t>(last() - yes),
                 static_cast<uint8_t>(last() - no));
}

std::vector<sock_filter> BpfAssembler::finish() && {
    std::reverse(backwards_.begin(), backwards_.end());
    return std::move(backwards_);
}

} // namespace nspawn
