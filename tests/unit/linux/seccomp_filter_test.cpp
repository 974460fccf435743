#include "bpf_interpreter.hpp"
#include "linux/seccomp_filter.hpp"
#include "linux/syscall_tables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {
namespace {

using test::interpret;
using ::testing::ElementsAre;

constexpr uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr uint32_t refusal(int code) { return SECCOMP_RET_ERRNO | static_cast<uint32_t>(code); }

FilterPolicy default_policy() {
    FilterPolicy policy;
    policy.retained = kDefaultRetainedCapabilities;
    return policy;
}

// The call as the native architecture numbers it.
seccomp_data native_call(long number, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
    seccomp_data data{};
    data.nr = static_cast<int>(number);
    data.arch = syscall_interfaces().front().audit_arch;
    data.args[0] = a;
    data.args[1] = b;
    data.args[2] = c;
    return data;
}

uint32_t answer_of(const FilterPolicy& policy, const seccomp_data& data) {
    return interpret(build_filter(policy), data).answer;
}

TEST(SeccompFilter, KnownCallsAreRefusedAndUnknownOnesDoNotExist) {
    EXPECT_EQ(answer_of(default_policy(), native_call(SYS_getpid)), kAllow);
    EXPECT_EQ(answer_of(default_policy(), native_call(SYS_mount)), kAllow);
    EXPECT_EQ(answer_of(default_policy(), native_call(SYS_add_key)), refusal(EPERM));
    EXPECT_EQ(answer_of(default_policy(), native_call(SYS_open_by_handle_at)), refusal(EPERM));
    EXPECT_EQ(answer_of(default_policy(), native_call(1000)), refusal(ENOSYS));
    EXPECT_EQ(answer_of(default_policy(), native_call(-1)), refusal(ENOSYS));
}

TEST(SeccompFilter, CapabilitiesOpenTheCallsThatNeedThem) {
    FilterPolicy policy = default_policy();
    EXPECT_EQ(answer_of(policy, native_call(SYS_init_module)), refusal(EPERM));
    policy.retained |= capability_bit(CAP_SYS_MODULE);
    EXPECT_EQ(answer_of(policy, native_call(SYS_init_module)), kAllow);
    EXPECT_EQ(answer_of(policy, native_call(SYS_reboot)), kAllow);
    policy.retained &= ~capability_bit(CAP_SYS_BOOT);
    EXPECT_EQ(answer_of(policy, native_call(SYS_reboot)), refusal(EPERM));
}

TEST(SeccompFilter, CallsYoungerThanTheLibraryAreAllowedWhereTheirGroupsAre) {
    constexpr long kFchmodat2 = 452;
    constexpr long kStatmount = 457;
    constexpr long kMseal = 462;
    constexpr long kSetxattrat = 463;
    for (const long number : {kFchmodat2, kStatmount, kMseal, kSetxattrat}) {
        EXPECT_EQ(answer_of(default_policy(), native_call(number)), kAllow) << number;
    }
}

TEST(SeccompFilter, AuditSocketsAreOfAnUnknownFamily) {
    const FilterPolicy policy = default_policy();
    constexpr uint64_t kNoise = uint64_t{1} << 32;
    EXPECT_EQ(answer_of(policy, native_call(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT)), refusal(EAFNOSUPPORT));
    EXPECT_EQ(answer_of(policy, native_call(SYS_socket, AF_NETLINK | kNoise, SOCK_RAW, NETLINK_AUDIT | kNoise)),
              refusal(EAFNOSUPPORT));
    EXPECT_EQ(answer_of(policy, native_call(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)), kAllow);
    EXPECT_EQ(answer_of(policy, native_call(SYS_socket, AF_INET, SOCK_RAW, NETLINK_AUDIT)), kAllow);
}

TEST(SeccompFilter, SuppressedSyncSucceedsOnlyForDescriptorsThatCouldBe) {
    FilterPolicy policy = default_policy();
    EXPECT_EQ(answer_of(policy, native_call(SYS_fsync, 3)), kAllow);
    policy.suppress_sync = true;
    EXPECT_EQ(answer_of(policy, native_call(SYS_fsync, 3)), refusal(0));
    EXPECT_EQ(answer_of(policy, native_call(SYS_fsync, static_cast<uint64_t>(-1))), kAllow); // the kernel says EBADF
    EXPECT_EQ(answer_of(policy, native_call(SYS_sync)), refusal(0));
    EXPECT_EQ(answer_of(policy, native_call(SYS_msync)), refusal(0));
    EXPECT_EQ(answer_of(policy, native_call(SYS_openat, 0, 0, O_RDWR)), kAllow);
    EXPECT_EQ(answer_of(policy, native_call(SYS_openat, 0, 0, O_RDWR | O_SYNC)), refusal(EINVAL));
    EXPECT_EQ(answer_of(policy, native_call(SYS_openat, 0, 0, O_RDWR | O_DSYNC)), refusal(EINVAL));
    EXPECT_EQ(answer_of(policy, native_call(SYS_openat2)), refusal(ENOSYS));
    EXPECT_EQ(answer_of(policy, native_call(SYS_io_uring_setup)), refusal(ENOSYS));
}

TEST(SeccompFilter, TerminalInjectionIsSeenThroughNoiseInTheHighHalf) {
    FilterPolicy policy = default_policy();
    EXPECT_EQ(answer_of(policy, native_call(SYS_ioctl, 0, TIOCSTI)), kAllow);
    policy.forbid_terminal_injection = true;
    EXPECT_EQ(answer_of(policy, native_call(SYS_ioctl, 0, TIOCSTI)), refusal(EPERM));
    EXPECT_EQ(answer_of(policy, native_call(SYS_ioctl, 0, TIOCLINUX | uint64_t{1} << 40)), refusal(EPERM));
    EXPECT_EQ(answer_of(policy, native_call(SYS_ioctl, 0, TIOCGWINSZ)), kAllow);
}

TEST(SeccompFilter, AnUnknownArchitectureIsKilled) {
    seccomp_data data = native_call(SYS_getpid);
    data.arch = AUDIT_ARCH_SPARC;
    EXPECT_EQ(answer_of(default_policy(), data), static_cast<uint32_t>(SECCOMP_RET_KILL_PROCESS));
}

// The kernel keeps a bitmap of calls whose answer is always "allow" and then does not run the program; one look at
// an argument before the leaf of a call that needs it would lose that for every call.
TEST(SeccompFilter, OnlyTheLeavesOfAFewCallsLookAtArguments) {
    FilterPolicy policy = default_policy();
    policy.suppress_sync = true;
    policy.forbid_terminal_injection = true;
    const auto program = build_filter(policy);
    for (const SyscallInterface& interface : syscall_interfaces()) {
        for (const SyscallNumber& entry : interface.numbers) {
            seccomp_data data{};
            data.arch = interface.audit_arch;
            data.nr = static_cast<int>(entry.number);
            const SyscallName& name = syscall_names()[entry.name];
            if (name.rule == ArgumentRule::none) {
                EXPECT_FALSE(interpret(program, data).looked_at_arguments) << text_of(name);
            }
        }
    }
    EXPECT_TRUE(interpret(program, native_call(SYS_ioctl)).looked_at_arguments);
}

TEST(SeccompFilter, IsShortAndShallow) {
    const auto program = build_filter(default_policy());
    EXPECT_LT(program.size(), 320U); // libseccomp needs some 1500 in three programs
    for (long number = 0; number < 1024; ++number) {
        EXPECT_LE(interpret(program, native_call(number)).steps, 20U) << number;
    }
}

TEST(SeccompFilter, SummaryCountsWhatTheProgramDoes) {
    const FilterPolicy policy = default_policy();
    const FilterSummary summary = describe_filter(policy);
    ASSERT_EQ(summary.architectures.size(), syscall_interfaces().size());
    EXPECT_EQ(summary.instructions, build_filter(policy).size());
    const auto program = build_filter(policy);
    size_t allowed = 0;
    size_t refused = 0;
    for (long number = 0; number < 1024; ++number) {
        const uint32_t answer = interpret(program, native_call(number)).answer;
        allowed += answer == kAllow ? 1 : 0;
        refused += answer == refusal(EPERM) ? 1 : 0;
    }
    EXPECT_EQ(summary.architectures.front().name, syscall_interfaces().front().name);
    EXPECT_EQ(summary.architectures.front().allowed, allowed);
    EXPECT_EQ(summary.architectures.front().refused, refused);
}

TEST(UnknownFilterNames, AreThoseOfNoArchitecture) {
    const std::vector<std::string> names{"mount",    "@mount",    "cacheflush", "s390_runtime_instr",
                                         "nonsense", "@nonsense", "%singles",   "",
                                         "mount2",   "@known"};
    EXPECT_THAT(unknown_filter_names(names), ElementsAre("nonsense", "@nonsense", "%singles", "", "mount2"));
}

// In a child, which keeps the filter: 0 when each call was answered as the filter says.
int calls_under_the_filter() {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !load_filter(build_filter(default_policy())).ok()) {
        return 1;
    }
    if (syscall(SYS_add_key, nullptr, nullptr, nullptr, 0, 0) != -1 || errno != EPERM) {
        return 2;
    }
    if (syscall(1000) != -1 || errno != ENOSYS) {
        return 3;
    }
    if (socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT) != -1 || errno != EAFNOSUPPORT) {
        return 4;
    }
    return getppid() > 0 ? 0 : 5;
}

TEST(LoadFilter, TheKernelTakesTheProgramAndAnswersBySoIt) {
    if (prctl(PR_GET_SECCOMP) < 0) {
        GTEST_SKIP() << "this kernel has no seccomp";
    }
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(calls_under_the_filter());
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(LoadFilter, ReportsWhatTheKernelRefuses) {
    EXPECT_EQ(load_filter({}).error(), EINVAL);
    const std::vector<sock_filter> too_long(BPF_MAXINSNS + 1, sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW});
    EXPECT_EQ(load_filter(too_long).error(), E2BIG);
}

} // namespace
} // namespace nspawn
