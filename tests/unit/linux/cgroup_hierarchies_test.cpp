#include "linux/cgroup.hpp"
#include "linux/cgroup_hierarchies.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

CgroupHierarchies hierarchies(std::string_view own, std::string_view mountinfo) {
    return combine(parse_own_cgroups(own), parse_cgroup_mounts(mountinfo));
}

constexpr std::string_view kUnifiedMounts =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "26 24 0:24 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

constexpr std::string_view kHybridMounts =
    "25 22 0:23 / /sys/fs/cgroup ro,nosuid shared:8 - tmpfs tmpfs ro,mode=755\n"
    "26 25 0:24 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n"
    "27 25 0:25 / /sys/fs/cgroup/systemd rw,relatime shared:10 - cgroup cgroup rw,xattr,name=systemd\n"
    "28 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:11 - cgroup cgroup rw,cpu,cpuacct\n"
    "29 25 0:27 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices\n";

TEST(OwnCgroups, AreReadLineByLine) {
    const auto groups = parse_own_cgroups("4:cpu,cpuacct:/a:b\n1:name=systemd:/user.slice\n0::/x\n");
    ASSERT_EQ(groups.size(), 3U);
    EXPECT_EQ(groups[0].controllers, "cpu,cpuacct");
    EXPECT_EQ(groups[0].path, "/a:b");
    EXPECT_EQ(groups[1].controllers, "name=systemd");
    EXPECT_EQ(groups[2].controllers, "");
    EXPECT_EQ(groups[2].path, "/x");
}

TEST(OwnCgroups, OutOfReachOrMalformedAreLeftOut) {
    for (const std::string_view text :
         {"", "\n", "0", "0:", "0:cpu", "0::", "0::relative\n", "0::/..\n", "0::/../other\n", "0::/gone (deleted)\n"}) {
        EXPECT_TRUE(parse_own_cgroups(text).empty()) << text;
    }
    EXPECT_EQ(parse_own_cgroups("0::/..fine").size(), 1U);
}

TEST(CgroupMounts, OptionalFieldsAndEscapesAreUnderstood) {
    const auto mounts = parse_cgroup_mounts("30 1 0:5 /a\\040b /mnt/c\\134d rw shared:1 master:2 - cgroup2 none rw\n"
                                            "31 1 0:5 / /x rw - cgroupfoo none rw\n"
                                            "32 1 0:5 / /y rw - cgroup\n"
                                            "garbage - cgroup2 none rw\n");
    ASSERT_EQ(mounts.size(), 1U);
    EXPECT_TRUE(mounts[0].version2);
    EXPECT_EQ(mounts[0].root, "/a b");
    EXPECT_EQ(mounts[0].target, "/mnt/c\\d");
}

TEST(CgroupHierarchies, Unified) {
    const auto found = hierarchies("0::/user.slice/session-1.scope\n", kUnifiedMounts);
    EXPECT_EQ(found.layout, CgroupLayout::unified);
    ASSERT_TRUE(found.version2);
    EXPECT_EQ(found.version2->unit, "/sys/fs/cgroup/user.slice/session-1.scope");
    EXPECT_TRUE(found.version1.empty());
}

TEST(CgroupHierarchies, Hybrid) {
    const auto found = hierarchies("3:devices:/d\n2:cpu,cpuacct:/\n1:name=systemd:/s\n0::/\n", kHybridMounts);
    EXPECT_EQ(found.layout, CgroupLayout::hybrid);
    ASSERT_TRUE(found.version2);
    EXPECT_EQ(found.version2->unit, "/sys/fs/cgroup/unified");
    ASSERT_EQ(found.version1.size(), 3U);
    ASSERT_NE(found.find_version1("devices"), nullptr);
    EXPECT_EQ(found.find_version1("devices")->unit, "/sys/fs/cgroup/devices/d");
    EXPECT_EQ(found.find_version1("cpuacct")->unit, "/sys/fs/cgroup/cpu,cpuacct");
    EXPECT_EQ(found.find_version1("name=systemd")->unit, "/sys/fs/cgroup/systemd/s");
    EXPECT_EQ(found.find_version1("memory"), nullptr);
}

TEST(CgroupHierarchies, LegacyHasNoVersion2) {
    const auto found = hierarchies("3:devices:/\n1:name=systemd:/\n", kHybridMounts);
    EXPECT_EQ(found.layout, CgroupLayout::legacy);
    EXPECT_FALSE(found.version2);
    EXPECT_EQ(found.version1.size(), 2U);
}

TEST(CgroupHierarchies, NoneMounted) {
    const auto found = hierarchies("0::/\n", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
    EXPECT_EQ(found.layout, CgroupLayout::none);
    EXPECT_FALSE(found.version2);
}

TEST(CgroupHierarchies, UnknownHierarchyIsIgnored) {
    const auto found = hierarchies("7:rdma:/\n0::/\n", kHybridMounts);
    EXPECT_EQ(found.layout, CgroupLayout::unified);
}

// A container without a cgroup namespace: the mount shows the container's group at its top.
TEST(CgroupHierarchies, MountOfAPart) {
    constexpr std::string_view kPart = "30 1 0:5 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    EXPECT_EQ(hierarchies("0::/docker/abc\n", kPart).version2->unit, "/sys/fs/cgroup");
    EXPECT_EQ(hierarchies("0::/docker/abc/sub\n", kPart).version2->unit, "/sys/fs/cgroup/sub");
    EXPECT_FALSE(hierarchies("0::/docker/abcd\n", kPart).version2);
    EXPECT_FALSE(hierarchies("0::/\n", kPart).version2);
}

TEST(CgroupHierarchies, FirstMountThatShowsUsIsTaken) {
    const auto found =
        hierarchies("0::/a\n", "30 1 0:5 /b /first rw - cgroup2 c rw\n31 1 0:5 / /second rw - cgroup2 c rw\n");
    EXPECT_EQ(found.version2->unit, "/second/a");
}

TEST(CgroupHierarchies, SupervisorSuffixIsNotPartOfTheUnit) {
    EXPECT_EQ(own_unit("/system.slice/a.service/supervisor"), "/system.slice/a.service");
    EXPECT_EQ(own_unit("/supervisor"), "/");
    EXPECT_EQ(own_unit("/"), "/");
    EXPECT_EQ(own_unit("/a/mysupervisor"), "/a/mysupervisor");
    EXPECT_EQ(own_unit("/a/supervisor/b"), "/a/supervisor/b");
    EXPECT_EQ(hierarchies("0::/supervisor\n", kUnifiedMounts).version2->unit, "/sys/fs/cgroup");
}

TEST(ScopeName, IsEscapedLikeAUnitName) {
    EXPECT_EQ(scope_name("web"), "machine-web.scope");
    EXPECT_EQ(scope_name("my-web.1"), "machine-my\\x2dweb.1.scope");
    EXPECT_EQ(scope_name(".host"), "machine-\\x2ehost.scope");
    EXPECT_EQ(scope_name("a/b"), "machine-a\\x2fb.scope");
}

TEST(ScopeName, FitsAFileNameHoweverMuchIsEscaped) {
    const std::string name = scope_name("a" + std::string(62, '-') + "b");
    EXPECT_LE(name.size(), 255U - 12U);
    EXPECT_TRUE(name.ends_with(".scope"));
}

} // namespace
} // namespace nspawn
