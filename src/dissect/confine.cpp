#include "dissect/confine.hpp"

#include "base/result.hpp"
#include "linux/bpf_assembler.hpp"
#include "linux/capability.hpp"

#include <array>
#include <cstddef>
#include <vector>

#include <grp.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr unsigned kNobody = 65534;
constexpr rlim_t kMostMemory = rlim_t{512} << 20;
constexpr rlim_t kMostSeconds = 20;

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__i386__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_I386;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#elif defined(__arm__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_ARM;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr uint32_t kArchitecture = AUDIT_ARCH_RISCV64;
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_PPC64LE;
#elif defined(__s390x__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_S390X;
#elif defined(__loongarch64)
constexpr uint32_t kArchitecture = AUDIT_ARCH_LOONGARCH64;
#else
#error "no name for this architecture"
#endif

// What reading, remembering and answering take. Anything else answers EPERM, which libraries take for "not here".
constexpr uint32_t kAllowed[] = {
    SYS_read,       SYS_pread64,        SYS_lseek,        SYS_fstat,     SYS_write,     SYS_close,
    SYS_ioctl,      SYS_fcntl,          SYS_brk,          SYS_mmap,      SYS_munmap,    SYS_mremap,
    SYS_mprotect,   SYS_madvise,        SYS_futex,        SYS_getrandom, SYS_getpid,    SYS_exit,
    SYS_exit_group, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_gettid,    SYS_fadvise64,
#ifdef SYS_newfstatat
    SYS_newfstatat,
#endif
};

void limit(__rlimit_resource resource, rlim_t value) {
    const rlimit bound{value, value};
    check(setrlimit(resource, &bound), "setrlimit").or_throw("confining the reader of images");
}

std::vector<sock_filter> reading_filter() {
    BpfAssembler assembler(64);
    const auto refuse = assembler.answer(SECCOMP_RET_ERRNO | EPERM);
    const auto allow = assembler.answer(SECCOMP_RET_ALLOW);
    const auto kill = assembler.answer(SECCOMP_RET_KILL_PROCESS);
    auto next = refuse;
    for (const uint32_t number : kAllowed) {
        next = assembler.branch(BPF_JEQ, number, allow, next);
    }
    next = assembler.load(offsetof(seccomp_data, nr), next);
    next = assembler.branch(BPF_JEQ, kArchitecture, next, kill);
    assembler.load(offsetof(seccomp_data, arch), next);
    return std::move(assembler).finish();
}

// Whoever is not root has nothing to give up, and cannot.
void become_nobody() {
    if (geteuid() != 0) {
        return;
    }
    check(setgroups(0, nullptr), "setgroups").or_throw("confining the reader of images");
    check(setresgid(kNobody, kNobody, kNobody), "setresgid").or_throw("confining the reader of images");
    check(setresuid(kNobody, kNobody, kNobody), "setresuid").or_throw("confining the reader of images");
}

} // namespace

void confine_reader() {
    limit(RLIMIT_AS, kMostMemory);
    limit(RLIMIT_CPU, kMostSeconds);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    become_nobody();
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)").or_throw("");
    const std::vector<sock_filter> program = reading_filter();
    const sock_fprog filter{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
    const Result<void> loaded = check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "seccomp");
    if (loaded.error() != ENOSYS && loaded.error() != EINVAL) { // a kernel without filters: the rest has to do
        loaded.or_throw("confining the reader of images");
    }
}

void confine_opener() {
    constexpr rlim_t kMostMemoryForKeys = rlim_t{4} << 30;
    constexpr CapabilityMask kNeeded =
        capability_mask(CAP_SYS_ADMIN, CAP_MKNOD, CAP_DAC_OVERRIDE, CAP_IPC_LOCK, CAP_CHOWN, CAP_FOWNER);
    limit(RLIMIT_AS, kMostMemoryForKeys);
    limit(RLIMIT_CORE, 0); // a key would be in it
    check(prctl(PR_SET_DUMPABLE, 0), "prctl(PR_SET_DUMPABLE)").or_throw("");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)").or_throw("");
    const CapabilitySets own = read_own_capabilities().or_throw("");
    const CapabilityMask kept = own.permitted & kNeeded;
    set_capabilities({.effective = kept, .permitted = kept}).or_throw("");
}

} // namespace nspawn
