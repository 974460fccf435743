// system_calls.hpp — the system calls of the stub init, without a C library.
//
// Each answers like the kernel does: a value, or the negative errno. On architectures whose entry code is not written
// here the same functions go through libc's syscall(2) (NSPAWN_STUB_WITH_LIBC, linked statically). Knows nothing of
// containers. Source: syscall(2), "Architecture calling conventions"; the manual page of each call.
#pragma once

#include <asm/unistd.h>
#include <stddef.h>
#include <stdint.h>

#ifdef NSPAWN_STUB_WITH_LIBC
#include <errno.h>
#include <unistd.h>
#endif

namespace nspawn::stub {

#if defined(NSPAWN_STUB_WITH_LIBC)

inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
    const long result = ::syscall(number, a, b, c, d, e, f);
    return result < 0 ? -errno : result;
}

#elif defined(__x86_64__)

inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    long result = number;
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
    register long x8 asm("x8") = number;
    register long x0 asm("x0") = a;
    register long x1 asm("x1") = b;
    register long x2 asm("x2") = c;
    register long x3 asm("x3") = d;
    register long x4 asm("x4") = e;
    register long x5 asm("x5") = f;
    asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

#else
#error "no system call entry for this architecture: build with NSPAWN_STUB_WITH_LIBC"
#endif

// The kernel's rule: the last few values below zero are errors.
inline bool is_error(long result) { return result < 0 && result >= -4095; }

inline long address(const void* pointer) { return reinterpret_cast<long>(pointer); }

// As the kernel has them, which is not how libc has them.
struct KernelTime {
    long seconds;
    long nanoseconds;
};
using KernelSignalSet = uint64_t;
constexpr KernelSignalSet bit_of(int signal) { return KernelSignalSet{1} << (signal - 1); }

[[noreturn]] inline void exit_with(int status) {
    for (;;) {
        call(__NR_exit_group, status);
    }
}

inline long fork_process(long child_signal) {
#ifdef NSPAWN_STUB_WITH_LIBC
    (void)child_signal;
    const pid_t pid = ::fork(); // clone(2) has another order of arguments on some of these architectures
    return pid < 0 ? -errno : pid;
#else
    return call(__NR_clone, child_signal);
#endif
}

// Returns only on failure.
inline long execute(const char* path, char* const* arguments, char* const* environment) {
    return call(__NR_execve, address(path), address(arguments), address(environment));
}

inline long send_signal(long process, int signal) { return call(__NR_kill, process, signal); }

inline long set_signal_mask(int how, const KernelSignalSet* set, KernelSignalSet* previous) {
    return call(__NR_rt_sigprocmask, how, address(set), address(previous), sizeof(KernelSignalSet));
}

// A signal's number; -EAGAIN when `timeout` is over. nullptr: without limit.
inline long wait_for_signal(const KernelSignalSet& set, const KernelTime* timeout) {
    return call(__NR_rt_sigtimedwait, address(&set), 0, address(timeout), sizeof(KernelSignalSet));
}

inline long wait_for_child(long process, int* status, int options) {
    return call(__NR_wait4, process, address(status), options, 0);
}

inline long clock_seconds(long clock) {
    KernelTime now{};
    call(__NR_clock_gettime, clock, address(&now));
    return now.seconds;
}

// Private memory, of a file or of zeros (fd -1); nullptr and the negative errno in `error` when there is none.
inline void* map_memory(size_t size, int protection, int flags, int fd, long& error) {
#ifdef __NR_mmap2
    const long result = call(__NR_mmap2, 0, static_cast<long>(size), protection, flags, fd, 0);
#else
    const long result = call(__NR_mmap, 0, static_cast<long>(size), protection, flags, fd, 0);
#endif
    error = is_error(result) ? result : 0;
    return is_error(result) ? nullptr : reinterpret_cast<void*>(result); // NOLINT(performance-no-int-to-ptr)
}

} // namespace nspawn::stub
