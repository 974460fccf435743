#include "linux/capability.hpp"

#include <gtest/gtest.h>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {
namespace {

TEST(ParseCapability, NeedsThePrefixOrANumber) {
    EXPECT_EQ(parse_capability("CAP_CHOWN"), CAP_CHOWN);
    EXPECT_EQ(parse_capability("cap_sys_admin"), CAP_SYS_ADMIN);
    EXPECT_EQ(parse_capability("21"), CAP_SYS_ADMIN);
    EXPECT_EQ(parse_capability("63"), 63U);
    for (const char* text : {"", "chown", "CAP_", "CAP_X", "64", "-1", "all", " CAP_CHOWN", "CAP_CHOWN ", "0x5"}) {
        EXPECT_FALSE(parse_capability(text)) << text;
    }
}

TEST(CapabilityName, IsReadBackAsItsNumber) {
    for (unsigned number = 0; number < kCapabilityLimit; ++number) {
        EXPECT_EQ(parse_capability(capability_name(number)), number);
    }
    EXPECT_EQ(capability_name(CAP_CHECKPOINT_RESTORE), "CAP_CHECKPOINT_RESTORE");
    EXPECT_EQ(capability_name(63), "63");
    EXPECT_EQ(format_capabilities(0), "");
    EXPECT_EQ(format_capabilities(capability_mask(CAP_KILL, CAP_CHOWN)), "CAP_CHOWN CAP_KILL");
}

TEST(AllCapabilities, EndAtTheKernelsLast) {
    const CapabilityMask all = all_capabilities();
    EXPECT_TRUE(has_capability(all, CAP_CHECKPOINT_RESTORE));
    for (unsigned number = 0; number < kCapabilityLimit; ++number) {
        EXPECT_EQ(has_capability(all, number), prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0) << number;
    }
    EXPECT_EQ(all & kDefaultRetainedCapabilities, kDefaultRetainedCapabilities);
}

TEST(DefaultRetainedCapabilities, LeaveOutWhatReachesTheHost) {
    for (const unsigned number : {CAP_NET_ADMIN, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_TIME, CAP_SYSLOG, CAP_BPF,
                                  CAP_PERFMON, CAP_MAC_ADMIN, CAP_MAC_OVERRIDE, CAP_IPC_LOCK, CAP_WAKE_ALARM}) {
        EXPECT_FALSE(has_capability(kDefaultRetainedCapabilities, number)) << capability_name(number);
    }
    EXPECT_EQ(__builtin_popcountll(kDefaultRetainedCapabilities), 26);
}

TEST(CapabilityStatus, HasFiveLinesOfHexadecimal) {
    constexpr char kStatus[] =
        "Name:\tx\nCapInh:\t0000000000000001\nCapPrm:\t000001fffeffffff\nCapEff:\t0000000000000002\n"
        "CapBnd:\t0000000000000004\nCapAmb:\t0000000000000008\nNoNewPrivs:\t0\n";
    EXPECT_EQ(parse_capability_status(kStatus), (CapabilitySets{2, 0x1fffeffffff, 1, 4, 8}));
    EXPECT_FALSE(parse_capability_status("Name:\tx\nCapInh:\t1\n"));
    EXPECT_FALSE(parse_capability_status("\nCapInh:\tx\nCapPrm:\t1\nCapEff:\t1\nCapBnd:\t1\nCapAmb:\t1\n"));
}

TEST(OwnCapabilities, AgreeWithTheKernelsOtherAnswer) {
    const CapabilitySets own = read_own_capabilities().or_throw("own capabilities");
    for (unsigned number = 0; number <= CAP_LAST_CAP; ++number) {
        EXPECT_EQ(has_capability(own.bounding, number), prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1) << number;
    }
}

// Everything irrevocable happens in a child; 0 means every step did what it says.
template <typename Body>
int in_child(Body body) {
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(body());
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool may_change_sets() {
    return has_capability(read_own_capabilities().or_throw("own capabilities").effective, CAP_SETPCAP);
}

TEST(SetCapabilities, DropsTheBoundingSetAndSetsTheOthers) {
    if (!may_change_sets()) {
        GTEST_SKIP() << "needs CAP_SETPCAP";
    }
    EXPECT_EQ(in_child([] {
                  const CapabilitySets before = read_own_capabilities().or_throw("before");
                  const CapabilityMask retained = capability_mask(CAP_CHOWN, CAP_KILL, CAP_SETPCAP);
                  if (!drop_bounding_set_except(retained).ok()) {
                      return 1;
                  }
                  const CapabilitySets wanted{capability_mask(CAP_KILL), retained, retained & before.permitted,
                                              retained, capability_mask(CAP_CHOWN)};
                  if (!set_capabilities(wanted).ok()) {
                      return 2;
                  }
                  return read_own_capabilities().or_throw("after") == wanted ? 0 : 3;
              }),
              0);
}

TEST(SetCapabilities, AmbientSetIsClearedWhenNoneIsAskedFor) {
    if (!may_change_sets()) {
        GTEST_SKIP() << "needs CAP_SETPCAP";
    }
    EXPECT_EQ(in_child([] {
                  const CapabilityMask one = capability_mask(CAP_CHOWN);
                  CapabilitySets sets{one, one, one, 0, one};
                  if (!set_capabilities(sets).ok()) {
                      return 1;
                  }
                  sets.ambient = 0;
                  if (!set_capabilities(sets).ok()) {
                      return 2;
                  }
                  return read_own_capabilities().or_throw("after").ambient == 0 ? 0 : 3;
              }),
              0);
}

TEST(SetCapabilities, RefusalIsAnErrorAndDroppingTwiceIsNot) {
    EXPECT_EQ(in_child([] {
                  const CapabilityMask kept = 0;
                  // Root may drop; anybody else may at least "drop" what root dropped before.
                  const bool could_drop = may_change_sets();
                  if (drop_bounding_set_except(kept).ok() != could_drop) {
                      return 1;
                  }
                  if (!set_capabilities({}).ok()) {
                      return 2;
                  }
                  if (could_drop && !drop_bounding_set_except(kept).ok()) {
                      return 3;
                  }
                  return set_capabilities({0, capability_mask(CAP_CHOWN), 0, 0, 0}).error() == EPERM ? 0 : 4;
              }),
              0);
}

} // namespace
} // namespace nspawn
