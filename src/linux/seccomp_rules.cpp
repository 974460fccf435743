#include "linux/seccomp_rules.hpp"

#include "linux/bpf_assembler.hpp"
#include "linux/syscall_tables.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <map>
#include <span>

#include <linux/seccomp.h>

namespace nspawn {

namespace {

using Label = BpfAssembler::Label;

constexpr bool kLittleEndian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

constexpr uint32_t low_half(unsigned index) {
    return static_cast<uint32_t>(offsetof(seccomp_data, args)) + 8 * index + (kLittleEndian ? 0 : 4);
}
constexpr uint32_t high_half(unsigned index) {
    return static_cast<uint32_t>(offsetof(seccomp_data, args)) + 8 * index + (kLittleEndian ? 4 : 0);
}

class Comparisons {
public:
    explicit Comparisons(BpfAssembler& bpf) : bpf_(bpf) {}

    Label write(const SeccompArgument& argument, Label yes, Label no) {
        switch (argument.comparison) {
        case SeccompComparison::equal:
            return equal(argument, yes, no);
        case SeccompComparison::not_equal:
            return equal(argument, no, yes);
        case SeccompComparison::greater:
            return greater(argument, BPF_JGT, yes, no);
        case SeccompComparison::greater_or_equal:
            return greater(argument, BPF_JGE, yes, no);
        case SeccompComparison::less:
            return greater(argument, BPF_JGE, no, yes);
        case SeccompComparison::less_or_equal:
            return greater(argument, BPF_JGT, no, yes);
        case SeccompComparison::masked_equal:
            break;
        }
        return masked_equal(argument, yes, no);
    }

private:
    static uint32_t high(uint64_t value) { return static_cast<uint32_t>(value >> 32); }
    static uint32_t low(uint64_t value) { return static_cast<uint32_t>(value); }

    Label equal(const SeccompArgument& argument, Label yes, Label no) {
        const Label lower = bpf_.load(low_half(argument.index), bpf_.branch(BPF_JEQ, low(argument.value), yes, no));
        return bpf_.load(high_half(argument.index), bpf_.branch(BPF_JEQ, high(argument.value), lower, no));
    }

    Label greater(const SeccompArgument& argument, uint16_t test, Label yes, Label no) {
        const Label lower = bpf_.load(low_half(argument.index), bpf_.branch(test, low(argument.value), yes, no));
        const Label same = bpf_.branch(BPF_JEQ, high(argument.value), lower, no);
        return bpf_.load(high_half(argument.index), bpf_.branch(BPF_JGT, high(argument.value), yes, same));
    }

    // Half by half: no bit of the mask that has to be clear is set, and each that has to be set is.
    Label masked_half(uint32_t offset, uint32_t mask, uint32_t wanted, Label yes, Label no) {
        if (mask == 0) {
            return yes;
        }
        Label next = yes;
        for (uint32_t bits = mask & wanted; bits != 0; bits &= bits - 1) {
            next = bpf_.branch(BPF_JSET, bits & (~bits + 1), next, no);
        }
        if ((mask & ~wanted) != 0) {
            next = bpf_.branch(BPF_JSET, mask & ~wanted, no, next);
        }
        return bpf_.load(offset, next);
    }

    Label masked_equal(const SeccompArgument& argument, Label yes, Label no) {
        if ((argument.second & ~argument.value) != 0) {
            return no; // a bit that the mask takes away can never be there
        }
        const Label lower = masked_half(low_half(argument.index), low(argument.value), low(argument.second), yes, no);
        return masked_half(high_half(argument.index), high(argument.value), high(argument.second), lower, no);
    }

    BpfAssembler& bpf_;
};

// One number of an architecture, and the rules that speak of it.
using RulesOfNumber = std::map<uint32_t, std::vector<size_t>>;

class RuleFilter {
public:
    explicit RuleFilter(const SeccompRules& rules) : rules_(rules), bpf_(1024) {}

    std::vector<sock_filter> build() {
        Label start = bpf_.answer(SECCOMP_RET_KILL_PROCESS);
        const auto maps = syscall_maps();
        for (size_t i = maps.size(); i > 0; --i) {
            const RulesOfNumber numbers = numbers_of(maps[i - 1], i == 1);
            if (i != 1 && !is_listed(maps[i - 1])) {
                continue;
            }
            const Label tree = bpf_.load(offsetof(seccomp_data, nr), write_tree(numbers));
            start = bpf_.branch(BPF_JEQ, maps[i - 1].audit_arch, tree, start);
        }
        bpf_.load(offsetof(seccomp_data, arch), start);
        std::vector<sock_filter> program = std::move(bpf_).finish();
        return program.size() > BPF_MAXINSNS ? std::vector<sock_filter>() : program;
    }

private:
    [[nodiscard]] bool lists(std::string_view name) const {
        return std::find(rules_.architectures.begin(), rules_.architectures.end(), name) != rules_.architectures.end();
    }

    [[nodiscard]] static std::span<const SyscallInterface> interfaces_of(const SyscallMap& map) {
        return syscall_interfaces().subspan(map.first_interface, map.interface_count);
    }

    [[nodiscard]] bool is_listed(const SyscallMap& map) const {
        const auto interfaces = interfaces_of(map);
        return std::any_of(interfaces.begin(), interfaces.end(), [&](const auto& each) { return lists(each.name); });
    }

    [[nodiscard]] RulesOfNumber numbers_of(const SyscallMap& map, bool native) const {
        RulesOfNumber numbers;
        bool first = true;
        for (const SyscallInterface& interface : interfaces_of(map)) {
            if ((native && first) || lists(interface.name)) {
                add_numbers(numbers, interface);
            }
            first = false;
        }
        return numbers;
    }

    void add_numbers(RulesOfNumber& numbers, const SyscallInterface& interface) const {
        for (size_t rule = 0; rule < rules_.rules.size(); ++rule) {
            for (const std::string& name : rules_.rules[rule].names) {
                const auto known = find_syscall(name);
                for (const SyscallNumber& number : interface.numbers) {
                    if (known && number.name == *known) {
                        numbers[number.number].push_back(rule);
                    }
                }
            }
        }
    }

    // The chain of one number's rules; numbers with the same rules share it.
    Label write_rules(const std::vector<size_t>& chain) {
        const auto written = chains_.find(chain);
        if (written != chains_.end()) {
            return written->second;
        }
        Label next = bpf_.answer(rules_.default_action);
        for (size_t i = chain.size(); i > 0; --i) {
            const SeccompRule& rule = rules_.rules[chain[i - 1]];
            const Label action = bpf_.answer(rule.action);
            Label matched = action;
            for (size_t j = rule.arguments.size(); j > 0; --j) {
                matched = Comparisons(bpf_).write(rule.arguments[j - 1], matched, next);
            }
            next = matched;
        }
        chains_.emplace(chain, next);
        return next;
    }

    Label write_tree(const RulesOfNumber& numbers) {
        std::vector<std::pair<uint32_t, Label>> leaves;
        leaves.reserve(numbers.size());
        for (const auto& [number, chain] : numbers) {
            leaves.emplace_back(number, write_rules(chain));
        }
        return leaves.empty() ? bpf_.answer(rules_.default_action) : write_tree(leaves);
    }

    Label write_tree(std::span<const std::pair<uint32_t, Label>> leaves) {
        if (leaves.size() == 1) {
            return bpf_.branch(BPF_JEQ, leaves[0].first, leaves[0].second, bpf_.answer(rules_.default_action));
        }
        const size_t middle = leaves.size() / 2;
        const Label above = write_tree(leaves.subspan(middle));
        const Label below = write_tree(leaves.first(middle));
        return bpf_.branch(BPF_JGE, leaves[middle].first, above, below);
    }

    const SeccompRules& rules_;
    BpfAssembler bpf_;
    std::map<std::vector<size_t>, Label> chains_;
};

} // namespace

std::vector<sock_filter> build_rule_filter(const SeccompRules& rules) { return RuleFilter(rules).build(); }

} // namespace nspawn
