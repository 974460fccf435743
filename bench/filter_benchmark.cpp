// filter_benchmark — what the system call filter costs: making it, loading it, and living under it.
//
// Loading is irrevocable, so each load happens in a child of its own, which times it and leaves the result in shared
// memory. The clock counts the child's processor time, so that other work on the machine does not count. To compare:
// `load/emitted` against `load/ready_made` (the goal is at most 1.5 times), and `call/under_filter` against
// `call/under_empty_filter` (the goal is no difference that can be measured).
#include "linux/seccomp_filter.hpp"

#include <ctime>
#include <new>
#include <vector>

#include <benchmark/benchmark.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {
namespace {

double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

FilterPolicy default_policy() {
    FilterPolicy policy;
    policy.retained = kDefaultRetainedCapabilities;
    return policy;
}

// A place that a child can leave its measured seconds in; negative: it failed.
class SharedSeconds {
public:
    SharedSeconds() : page_(mmap(nullptr, sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        if (page_ == MAP_FAILED) {
            throw std::bad_alloc();
        }
    }
    SharedSeconds(const SharedSeconds&) = delete;
    SharedSeconds& operator=(const SharedSeconds&) = delete;
    ~SharedSeconds() { munmap(page_, sizeof(double)); }

    double& value() { return *static_cast<double*>(page_); }

private:
    void* page_;
};

// Seconds that `body` took in a child, where it may do what cannot be undone; negative when it failed.
template <typename Body>
double seconds_in_child(SharedSeconds& seconds, Body body) {
    seconds.value() = -1;
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        // nspawn's child has allocated memory before it comes to the filter; the first time costs page faults.
        benchmark::DoNotOptimize(std::vector<char>(64));
        const double begin = processor_seconds();
        const bool done = body();
        seconds.value() = done ? processor_seconds() - begin : -1;
        _exit(0);
    }
    if (child < 0 || waitpid(child, nullptr, 0) != child) {
        return -1;
    }
    return seconds.value();
}

template <typename Body>
void time_in_children(benchmark::State& state, Body body) {
    SharedSeconds seconds;
    for (auto round : state) {
        const double taken = seconds_in_child(seconds, body);
        if (taken < 0) {
            state.SkipWithError("the filter could not be loaded");
            break;
        }
        state.SetIterationTime(taken);
    }
}

void build(benchmark::State& state) {
    const FilterPolicy policy = default_policy();
    for (auto round : state) {
        benchmark::DoNotOptimize(build_filter(policy));
    }
    state.counters["instructions"] = static_cast<double>(build_filter(policy).size());
}
BENCHMARK(build)->Name("build");

void load_ready_made(benchmark::State& state) {
    const std::vector<sock_filter> program = build_filter(default_policy());
    time_in_children(state, [&program] { return load_filter(program).ok(); });
}
BENCHMARK(load_ready_made)->Name("load/ready_made")->UseManualTime();

// In a process that never made one before, as in nspawn itself.
void load_emitted(benchmark::State& state) {
    const FilterPolicy policy = default_policy();
    time_in_children(state, [&policy] { return load_filter(build_filter(policy)).ok(); });
}
BENCHMARK(load_emitted)->Name("load/emitted")->UseManualTime();

constexpr int kCallsPerRound = 100000;

bool make_calls() {
    for (int i = 0; i < kCallsPerRound; ++i) {
        syscall(SYS_getppid);
    }
    return true;
}

void call_without_filter(benchmark::State& state) {
    time_in_children(state, make_calls);
    state.SetItemsProcessed(state.iterations() * kCallsPerRound);
}
BENCHMARK(call_without_filter)->Name("call/without_filter")->UseManualTime();

// Any filter sends system calls over the kernel's slower entry path; this one asks nothing and is what ours is
// measured against. The load is timed too: a thousandth of the round.
void call_under_empty_filter(benchmark::State& state) {
    const std::vector<sock_filter> program{{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    time_in_children(state, [&program] { return load_filter(program).ok() && make_calls(); });
    state.SetItemsProcessed(state.iterations() * kCallsPerRound);
}
BENCHMARK(call_under_empty_filter)->Name("call/under_empty_filter")->UseManualTime();

void call_under_filter(benchmark::State& state) {
    const std::vector<sock_filter> program = build_filter(default_policy());
    time_in_children(state, [&program] { return load_filter(program).ok() && make_calls(); });
    state.SetItemsProcessed(state.iterations() * kCallsPerRound);
}
BENCHMARK(call_under_filter)->Name("call/under_filter")->UseManualTime();

} // namespace
} // namespace nspawn

BENCHMARK_MAIN();
