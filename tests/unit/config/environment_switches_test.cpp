#include "base/error.hpp"
#include "config/environment_switches.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

EnvironmentSwitches read(std::vector<const char*> variables) {
    variables.push_back(nullptr);
    Caller caller;
    caller.environment = variables.data();
    return EnvironmentSwitches::read(caller);
}

std::string problem(std::vector<const char*> variables) {
    try {
        (void)read(std::move(variables));
    } catch (const Error& error) {
        return error.message();
    }
    return "";
}

TEST(EnvironmentSwitches, DefaultsWhenNothingIsSet) {
    const EnvironmentSwitches switches =
        read({"SYSTEMD_NSPAWN_LOCKS=0", "XSYSTEMD_NSPAWN_LOCK=0", "SYSTEMD_NSPAWN_LOCK"});
    EXPECT_FALSE(switches.api_vfs_writable.has_value());
    EXPECT_FALSE(switches.unified_hierarchy.has_value());
    EXPECT_FALSE(switches.suppress_sync.has_value());
    EXPECT_TRUE(switches.tmpfs_tmp && switches.use_cgroup_namespace && switches.lock && switches.check_os_release);
    EXPECT_TRUE(switches.seccomp && switches.tint_background && switches.adjust_terminal_title);
    EXPECT_FALSE(switches.share_ipc || switches.share_pid || switches.share_uts || switches.log_seccomp);
    EXPECT_EQ(switches.container_service, "systemd-nspawn");
    EXPECT_THAT(switches.warnings, IsEmpty());
}

TEST(EnvironmentSwitches, EachSwitchCanBeSet) {
    EXPECT_EQ(read({"SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes"}).api_vfs_writable, ApiVfsWritable::yes);
    EXPECT_EQ(read({"SYSTEMD_NSPAWN_API_VFS_WRITABLE=0"}).api_vfs_writable, ApiVfsWritable::no);
    EXPECT_EQ(read({"SYSTEMD_NSPAWN_API_VFS_WRITABLE=network"}).api_vfs_writable, ApiVfsWritable::network);
    EXPECT_FALSE(read({"SYSTEMD_NSPAWN_TMPFS_TMP=0"}).tmpfs_tmp);
    EXPECT_FALSE(read({"SYSTEMD_NSPAWN_USE_CGNS=no"}).use_cgroup_namespace);
    EXPECT_FALSE(read({"SYSTEMD_NSPAWN_LOCK=off"}).lock);
    EXPECT_FALSE(read({"SYSTEMD_NSPAWN_CHECK_OS_RELEASE=f"}).check_os_release);
    EXPECT_TRUE(read({"SYSTEMD_NSPAWN_SHARE_NS_IPC=1"}).share_ipc);
    EXPECT_TRUE(read({"SYSTEMD_NSPAWN_SHARE_NS_PID=1"}).share_pid);
    EXPECT_TRUE(read({"SYSTEMD_NSPAWN_SHARE_NS_UTS=1"}).share_uts);
    EXPECT_FALSE(read({"SYSTEMD_SECCOMP=0"}).seccomp);
    EXPECT_TRUE(read({"SYSTEMD_LOG_SECCOMP=1"}).log_seccomp);
    EXPECT_EQ(read({"SYSTEMD_SUPPRESS_SYNC=1"}).suppress_sync, true);
    EXPECT_FALSE(read({"SYSTEMD_TINT_BACKGROUND=0"}).tint_background);
    EXPECT_FALSE(read({"SYSTEMD_ADJUST_TERMINAL_TITLE=0"}).adjust_terminal_title);
    EXPECT_EQ(read({"SYSTEMD_NSPAWN_CONTAINER_SERVICE=mine"}).container_service, "mine");
    EXPECT_FALSE(read({"SYSTEMD_ALLOW_USERSPACE_VERITY=0"}).image.userspace_verity);
}

TEST(EnvironmentSwitches, ATimeLimitIsInWholeSeconds) {
    const auto patience = [](const std::string& value) {
        const std::string variable = "SYSTEMD_DISSECT_VERITY_TIMEOUT_SEC=" + value;
        return read({variable.c_str()}).image.verity_patience;
    };
    EXPECT_EQ(patience("5"), 5U);
    EXPECT_EQ(patience("100ms"), 1U);
    EXPECT_EQ(patience("1min 30s"), 90U);
    EXPECT_EQ(patience("0"), 1U);
    EXPECT_EQ(patience("infinity"), 86400U);
    EXPECT_EQ(patience("soon"), read({}).image.verity_patience);
    EXPECT_EQ(read({"SYSTEMD_DISSECT_VERITY_TIMEOUT_SEC=soon"}).warnings.size(), 1U);
}

TEST(EnvironmentSwitches, ShareSystemIsAllThreeUnlessOneSaysOtherwise) {
    const EnvironmentSwitches switches = read({"SYSTEMD_NSPAWN_SHARE_SYSTEM=1", "SYSTEMD_NSPAWN_SHARE_NS_PID=0"});
    EXPECT_TRUE(switches.share_ipc);
    EXPECT_FALSE(switches.share_pid);
    EXPECT_TRUE(switches.share_uts);
}

TEST(EnvironmentSwitches, TheHierarchyHasAnOldName) {
    EXPECT_EQ(read({"UNIFIED_CGROUP_HIERARCHY=no"}).unified_hierarchy, false);
    EXPECT_EQ(read({"UNIFIED_CGROUP_HIERARCHY=no", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=yes"}).unified_hierarchy, true);
    EXPECT_EQ(read({"UNIFIED_CGROUP_HIERARCHY=no", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="}).unified_hierarchy, false);
    EXPECT_THAT(problem({"UNIFIED_CGROUP_HIERARCHY=x"}), HasSubstr("$UNIFIED_CGROUP_HIERARCHY=x: not a boolean"));
}

// Error or warning as systemd-nspawn 252 was seen to do; a warning leaves the safe default.
TEST(EnvironmentSwitches, MalformedValues) {
    for (const char* variable :
         {"SYSTEMD_NSPAWN_TMPFS_TMP=x", "SYSTEMD_NSPAWN_USE_CGNS=", "SYSTEMD_NSPAWN_SHARE_NS_IPC=x",
          "SYSTEMD_NSPAWN_SHARE_NS_PID=x", "SYSTEMD_NSPAWN_SHARE_NS_UTS=x", "SYSTEMD_NSPAWN_SHARE_SYSTEM=2",
          "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=v2"}) {
        EXPECT_THAT(problem({variable}), HasSubstr("not a boolean")) << variable;
    }
    EXPECT_THAT(problem({"SYSTEMD_NSPAWN_API_VFS_WRITABLE="}), HasSubstr("neither a boolean nor \"network\""));
    EXPECT_THAT(problem({"SYSTEMD_NSPAWN_CONTAINER_SERVICE=a\nb"}), HasSubstr("not a line"));
    const EnvironmentSwitches switches =
        read({"SYSTEMD_NSPAWN_LOCK=x", "SYSTEMD_NSPAWN_CHECK_OS_RELEASE=x", "SYSTEMD_SECCOMP=x",
              "SYSTEMD_LOG_SECCOMP=x", "SYSTEMD_SUPPRESS_SYNC=x"});
    EXPECT_TRUE(switches.lock && switches.check_os_release && switches.seccomp);
    EXPECT_FALSE(switches.suppress_sync.has_value());
    EXPECT_EQ(switches.warnings.size(), 5U);
    EXPECT_EQ(switches.warnings[0], "$SYSTEMD_NSPAWN_LOCK=x: not a boolean (yes or no), ignored");
}

} // namespace
} // namespace nspawn
