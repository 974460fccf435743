#include "linux/seccomp_filter.hpp"

#include "linux/bpf_assembler.hpp"
#include "linux/syscall_intervals.hpp"

#include <cerrno>
#include <cstddef>

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nspawn {

namespace {

using Label = BpfAssembler::Label;

constexpr uint32_t errno_answer(int code) { return SECCOMP_RET_ERRNO | static_cast<uint32_t>(code); }

uint32_t value_of(Answer answer) {
    switch (answer) {
    case Answer::allow:
        return SECCOMP_RET_ALLOW;
    case Answer::refuse:
        return errno_answer(EPERM);
    case Answer::does_not_exist:
        return errno_answer(ENOSYS);
    case Answer::succeed:
        break;
    }
    return errno_answer(0);
}

// Enough that no vector grows for the default policy (x86-64 and x32 have 180 intervals in 90 segments), and little
// enough that few fresh pages are touched: each costs more than a hundred instructions of the work.
constexpr size_t kExpectedIntervals = 256;
constexpr size_t kExpectedSegments = 128;
constexpr size_t kExpectedInstructions = 384;

// A run of numbers with one verdict but for a few single numbers: a lone number costs one test for equality here,
// and two comparisons of the tree if it were an interval of its own.
struct Segment {
    std::span<const Interval> intervals; // 1st, 3rd, … : the verdict; 2nd, 4th, … : one number each
    [[nodiscard]] uint32_t first() const { return intervals.front().first; }
};

constexpr size_t kExceptionsPerSegment = 4;

Segment take_segment(std::span<const Interval>& rest) {
    size_t size = 1;
    while (size / 2 < kExceptionsPerSegment && size + 1 < rest.size() && rest[size].first + 1 == rest[size + 1].first &&
           rest[size + 1].verdict == rest[0].verdict) {
        size += 2;
    }
    const Segment segment{rest.first(size)};
    rest = rest.subspan(size);
    return segment;
}

constexpr uint32_t kLowHalf = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;

constexpr uint32_t argument_offset(uint32_t index) {
    return static_cast<uint32_t>(offsetof(seccomp_data, args)) + 8 * index + kLowHalf;
}

class Program {
public:
    explicit Program(size_t expected_size) : bpf_(expected_size) {}

    Label write(const Verdict& verdict) {
        const Label otherwise = bpf_.answer(value_of(verdict.answer));
        switch (verdict.rule) {
        case ArgumentRule::audit_socket: {
            const Label refuse = bpf_.answer(errno_answer(EAFNOSUPPORT));
            const Label protocol = bpf_.branch(BPF_JEQ, NETLINK_AUDIT, refuse, otherwise);
            const Label family = bpf_.branch(BPF_JEQ, AF_NETLINK, bpf_.load(argument_offset(2), protocol), otherwise);
            return bpf_.load(argument_offset(0), family);
        }
        case ArgumentRule::open_flags_1:
            return write_flag_test(1, O_SYNC, errno_answer(EINVAL), otherwise);
        case ArgumentRule::open_flags_2:
            return write_flag_test(2, O_SYNC, errno_answer(EINVAL), otherwise);
        case ArgumentRule::sync_of_fd: {
            // A negative descriptor goes on to the kernel, which answers EBADF.
            const Label success = bpf_.answer(errno_answer(0));
            return bpf_.load(argument_offset(0), bpf_.branch(BPF_JSET, 0x80000000, otherwise, success));
        }
        case ArgumentRule::terminal_ioctl: {
            const Label refuse = bpf_.answer(errno_answer(EPERM));
            const Label second = bpf_.branch(BPF_JEQ, TIOCLINUX, refuse, otherwise);
            return bpf_.load(argument_offset(1), bpf_.branch(BPF_JEQ, TIOCSTI, refuse, second));
        }
        case ArgumentRule::none:
        case ArgumentRule::sync_of_all:
        case ArgumentRule::beyond_sight:
            break;
        }
        return otherwise;
    }

    // A balanced tree over the first numbers.
    Label write(std::span<const Segment> segments) {
        if (segments.size() == 1) {
            return write(segments.front());
        }
        const auto upper = segments.subspan(segments.size() / 2);
        const Label above = write(upper);
        const Label below = write(segments.first(segments.size() / 2));
        return bpf_.branch(BPF_JGE, upper.front().first(), above, below);
    }

    // Goes on at `other` when the call is of another architecture.
    Label write_architecture(uint32_t audit_arch, std::span<const Segment> segments, Label other) {
        const Label tree = bpf_.load(offsetof(seccomp_data, nr), write(segments));
        return bpf_.branch(BPF_JEQ, audit_arch, tree, other);
    }

    Label write_foreign_architecture() { return bpf_.answer(SECCOMP_RET_KILL_PROCESS); }

    std::vector<sock_filter> finish(Label first_test) && {
        bpf_.load(offsetof(seccomp_data, arch), first_test);
        return std::move(bpf_).finish();
    }

private:
    Label write_flag_test(uint32_t argument, uint32_t flags, uint32_t answer, Label otherwise) {
        const Label refuse = bpf_.answer(answer);
        return bpf_.load(argument_offset(argument), bpf_.branch(BPF_JSET, flags, refuse, otherwise));
    }

    Label write(const Segment& segment) {
        Label next = write(segment.intervals.front().verdict);
        for (size_t i = segment.intervals.size(); i > 1; i -= 2) {
            const Interval& exception = segment.intervals[i - 2];
            next = bpf_.branch(BPF_JEQ, exception.first, write(exception.verdict), next);
        }
        return next;
    }

    BpfAssembler bpf_;
};

FilterSummary::Architecture count_calls(const SyscallInterface& interface, const AllowedSyscalls& allowed) {
    FilterSummary::Architecture counts{interface.name};
    const auto numbers = interface.numbers;
    for (size_t i = 0; i < numbers.size(); ++i) {
        bool may = allowed[numbers[i].name];
        for (; i + 1 < numbers.size() && numbers[i + 1].number == numbers[i].number; ++i) {
            may = may || allowed[numbers[i + 1].name];
        }
        ++(may ? counts.allowed : counts.refused);
    }
    return counts;
}

} // namespace

std::vector<sock_filter> build_filter(const FilterPolicy& policy) {
    const SyscallVerdicts verdicts(policy);
    std::vector<Interval> intervals;
    intervals.reserve(kExpectedIntervals);
    std::vector<Segment> segments;
    segments.reserve(kExpectedSegments);
    Program program(kExpectedInstructions);
    Label start = program.write_foreign_architecture();
    const auto maps = syscall_maps();
    // Written backwards, so the native architecture, first in the table, is tested first.
    for (size_t i = maps.size(); i > 0; --i) {
        verdicts.list(maps[i - 1], intervals);
        segments.clear();
        for (std::span<const Interval> rest = intervals; !rest.empty();) {
            segments.push_back(take_segment(rest));
        }
        start = program.write_architecture(maps[i - 1].audit_arch, segments, start);
    }
    return std::move(program).finish(start);
}

FilterSummary describe_filter(const FilterPolicy& policy) {
    const AllowedSyscalls allowed = allowed_syscalls(policy);
    FilterSummary summary;
    for (const SyscallInterface& interface : syscall_interfaces()) {
        summary.architectures.push_back(count_calls(interface, allowed));
    }
    summary.instructions = build_filter(policy).size();
    return summary;
}

Result<void> load_filter(std::span<const sock_filter> program, LogRefusals log) {
    if (program.size() > BPF_MAXINSNS) {
        return SystemError{E2BIG, "seccomp"};
    }
    // The kernel only reads the program.
    const sock_fprog argument{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
    // Not SPEC_ALLOW: since 5.16 the kernel no longer ties speculation to filters unless the administrator asked for
    // it on its command line, and then a container must not undo that.
    const unsigned flags = log == LogRefusals::yes ? SECCOMP_FILTER_FLAG_LOG : 0;
    return check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &argument), "seccomp");
}

} // namespace nspawn
