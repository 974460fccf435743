#include "linux/syscall_intervals.hpp"

namespace nspawn {

namespace {

constexpr Verdict kUnknown{Answer::does_not_exist};

Verdict verdict_of(ArgumentRule rule, bool allowed, const FilterPolicy& policy) {
    const Verdict plain{allowed ? Answer::allow : Answer::refuse};
    switch (rule) {
    case ArgumentRule::none:
        return plain;
    case ArgumentRule::audit_socket:
        return {plain.answer, rule};
    case ArgumentRule::terminal_ioctl:
        return allowed && policy.forbid_terminal_injection ? Verdict{plain.answer, rule} : plain;
    case ArgumentRule::open_flags_1:
    case ArgumentRule::open_flags_2:
        return allowed && policy.suppress_sync ? Verdict{plain.answer, rule} : plain;
    case ArgumentRule::sync_of_fd:
        return policy.suppress_sync ? Verdict{plain.answer, rule} : plain;
    case ArgumentRule::sync_of_all:
        return policy.suppress_sync ? Verdict{Answer::succeed} : plain;
    case ArgumentRule::beyond_sight:
        return policy.suppress_sync ? kUnknown : plain;
    }
    return plain;
}

std::vector<Verdict> verdicts_by_name(const FilterPolicy& policy) {
    const AllowedSyscalls allowed = allowed_syscalls(policy);
    const auto names = syscall_names();
    std::vector<Verdict> verdicts;
    verdicts.reserve(names.size());
    for (size_t i = 0; i < names.size(); ++i) {
        verdicts.push_back(verdict_of(names[i].rule, allowed[i], policy));
    }
    return verdicts;
}

std::vector<Verdict> verdicts_by_class(const FilterPolicy& policy) {
    const auto classes = syscall_classes();
    std::vector<Verdict> verdicts;
    verdicts.reserve(classes.size());
    verdicts.push_back(kUnknown);
    for (const SyscallClass& calls : classes.subspan(1)) {
        const bool allowed = calls.always || (calls.opened_by & policy.retained) != 0;
        verdicts.push_back(verdict_of(calls.rule, allowed, policy));
    }
    return verdicts;
}

void append(std::vector<Interval>& intervals, uint32_t first, Verdict verdict) {
    if (intervals.empty() || intervals.back().verdict != verdict) {
        intervals.push_back({first, verdict});
    }
}

// A number's second name: the call is allowed under either.
void allow_last(std::vector<Interval>& intervals, uint32_t number, Verdict verdict) {
    if (intervals.back().first == number) {
        intervals.pop_back();
    }
    append(intervals, number, verdict);
}

// Appends the interface's numbers from `next` on; answers the lowest number that is not covered yet.
uint32_t append_numbers(std::vector<Interval>& intervals, uint32_t next, std::span<const SyscallNumber> numbers,
                        const std::vector<Verdict>& verdicts) {
    for (const SyscallNumber& entry : numbers) {
        const Verdict verdict = verdicts[entry.name];
        if (entry.number < next) {
            if (verdict.answer == Answer::allow) {
                allow_last(intervals, entry.number, verdict);
            }
            continue;
        }
        if (entry.number > next) {
            append(intervals, next, kUnknown);
        }
        append(intervals, entry.number, verdict);
        next = entry.number + 1;
    }
    return next;
}

} // namespace

SyscallVerdicts::SyscallVerdicts(const FilterPolicy& policy)
    : by_name_(!policy.allow.empty() || !policy.deny.empty()),
      verdicts_(by_name_ ? verdicts_by_name(policy) : verdicts_by_class(policy)) {}

void SyscallVerdicts::list(const SyscallMap& map, std::vector<Interval>& intervals) const {
    intervals.clear();
    if (!by_name_) {
        for (const SyscallRun& run : map.runs) {
            append(intervals, run.first, verdicts_[run.of_class]);
        }
        return;
    }
    uint32_t next = 0;
    for (const SyscallInterface& interface : syscall_interfaces().subspan(map.first_interface, map.interface_count)) {
        next = append_numbers(intervals, next, interface.numbers, verdicts_);
    }
    append(intervals, next, kUnknown);
}

} // namespace nspawn
