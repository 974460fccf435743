// What is read back from /proc/PID/mountinfo, against a small plan.
#include "run/verify_mounts.hpp"

#include <gtest/gtest.h>

#include <linux/mount.h>
#include <unistd.h>

namespace nspawn {
namespace {

constexpr const char* kMounted = "60 40 8:1 /tree / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
                                 "61 60 0:40 / /proc rw,nosuid,nodev,noexec,relatime shared:2 - proc proc rw\n"
                                 "62 61 0:40 /sys /proc/sys ro,nosuid,nodev,noexec,relatime shared:3 - proc proc rw\n"
                                 "63 60 0:41 / /run rw,nosuid,nodev shared:4 - tmpfs tmpfs rw\n"
                                 "64 61 0:41 /host/inaccessible/reg /proc/keys ro,nosuid shared:5 - tmpfs tmpfs rw\n";

class VerifyMounts : public testing::Test {
protected:
    VerifyMounts() {
        BindInside read_only{.source = "/proc/sys", .target = "/proc/sys"};
        read_only.attributes = MOUNT_ATTR_RDONLY;
        BindInside mask{.source = "/run/host/inaccessible/reg", .target = "/proc/keys"};
        mask.mask = true;
        plan_.groups.push_back({"one", {MountFileSystem{"proc", "/proc", {}, MOUNT_ATTR_NOSUID}}});
        plan_.groups.push_back({"two", {MakeDirectory{"/proc/none"}, read_only, mask}});
    }

    // `mountinfo` with the first `what` in it exchanged.
    static std::string changed(std::string_view what, std::string_view other) {
        std::string text = kMounted;
        return text.replace(text.find(what), what.size(), other);
    }

    [[nodiscard]] std::string problem(const std::string& mountinfo, std::string_view left_out = {}) const {
        const auto found = find_mount_problem(plan_, left_out, mountinfo);
        return found ? found->target + " " + found->what : "";
    }

    Plan plan_;
};

TEST_F(VerifyMounts, WhatIsAsAskedForIsNoProblem) { EXPECT_EQ(problem(kMounted), ""); }

TEST_F(VerifyMounts, ReadOnlyThatDidNotTakeIsOne) {
    EXPECT_EQ(problem(changed("/proc/sys ro", "/proc/sys rw")), "/proc/sys is not ro, although it was asked for");
}

TEST_F(VerifyMounts, AnyFlagThatIsMissingIsOne) {
    EXPECT_EQ(problem(changed("/proc rw,nosuid", "/proc rw")), "/proc is not nosuid, although it was asked for");
}

TEST_F(VerifyMounts, AnotherFileSystemIsOne) {
    EXPECT_EQ(problem(changed("- proc proc", "- tmpfs proc")), "/proc is no proc, although it was asked for");
}

TEST_F(VerifyMounts, AMaskThatShowsSomethingElseIsOne) {
    EXPECT_EQ(problem(changed("/host/inaccessible/reg", "/host/notify")),
              "/proc/keys is not masked, although it was asked for");
}

TEST_F(VerifyMounts, TheTopmostMountCounts) {
    const std::string covered = kMounted + std::string("70 62 0:50 / /proc/sys rw - tmpfs tmpfs rw\n");
    EXPECT_EQ(problem(covered), "/proc/sys is not ro, although it was asked for");
}

TEST_F(VerifyMounts, WhatIsNotThereIsOneUnlessItWasLeftOut) {
    const std::string without = changed("/proc/keys", "/elsewhere");
    EXPECT_EQ(problem(without), "/proc/keys is not mounted, although it was asked for");
    EXPECT_EQ(problem(without, number_operations(plan_, {&plan_.groups[1].operations[2]})), "");
    EXPECT_NE(problem(without, number_operations(plan_, {&plan_.groups[1].operations[1]})), "");
}

TEST_F(VerifyMounts, AReadOnlyRootIsReadBack) {
    plan_.read_only = true;
    EXPECT_EQ(problem(kMounted), "/ is not ro, although it was asked for");
    EXPECT_EQ(problem(changed("/ rw", "/ ro")), "");
}

TEST_F(VerifyMounts, AnIdMapThatDidNotTakeIsOne) {
    plan_.map_tree = true;
    EXPECT_EQ(problem(kMounted), "/ is not id-mapped, although it was asked for");
    EXPECT_EQ(problem(changed("/ rw,relatime", "/ rw,relatime,idmapped")), "");
    plan_.root = RootKind::volatile_overlay; // what it lies on has the map
    EXPECT_EQ(problem(kMounted), "");
    plan_.root = RootKind::volatile_usr;
    EXPECT_EQ(problem(kMounted), "/usr is not mounted, although it was asked for");
}

TEST_F(VerifyMounts, OwnMountsCanBeReadAndThoseOfNobodyCannot) {
    const auto own = find_mount_problem(plan_, {}, getpid());
    ASSERT_TRUE(own) << "no container here";
    EXPECT_EQ(own->what.find("cannot be read"), std::string::npos);
    const auto nobody = find_mount_problem(plan_, {}, pid_t{0});
    ASSERT_TRUE(nobody);
    EXPECT_EQ(nobody->what, "cannot be read: No such file or directory");
}

} // namespace
} // namespace nspawn
