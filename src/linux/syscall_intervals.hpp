// syscall_intervals.hpp — a policy's verdict about every number of an architecture, as a list of intervals.
//
// Between the decision by name (syscall_policy.hpp) and the program (seccomp_filter.hpp). Without names from the user
// it reads only the runs that were merged at build time; with them it walks all numbers.
#pragma once

#include "linux/syscall_policy.hpp"
#include "linux/syscall_tables.hpp"

#include <cstdint>
#include <vector>

namespace nspawn {

enum class Answer : uint8_t {
    allow,
    refuse,         // EPERM
    does_not_exist, // ENOSYS
    succeed,        // 0, without doing anything
};

// How one call is answered: always the same, or first by its arguments and otherwise with `answer`. Two bytes, so
// that all verdicts of a filter lie in a few cache lines: a container's start finds nothing in the caches.
struct Verdict {
    Answer answer;
    ArgumentRule rule = ArgumentRule::none;

    bool operator==(const Verdict&) const = default;
};

// Numbers from `first` up to the next interval's.
struct Interval {
    uint32_t first;
    Verdict verdict;
};

class SyscallVerdicts {
public:
    explicit SyscallVerdicts(const FilterPolicy& policy);

    // Every number of the architecture, in rising order; neighbours differ. `intervals` is overwritten.
    void list(const SyscallMap& map, std::vector<Interval>& intervals) const;

private:
    bool by_name_;                  // the user named some
    std::vector<Verdict> verdicts_; // by index into syscall_names() or else syscall_classes()
};

} // namespace nspawn
