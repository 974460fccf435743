#include "plan/tmpfs_options.hpp"

#include <gtest/gtest.h>

#include <linux/mount.h>

namespace nspawn {
namespace {

constexpr uint64_t kUsual = MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME;

TEST(TmpfsOptions, AreNoDevicesAndStrictAccessTimesUnlessToldOtherwise) {
    const TmpfsOptions result = split_tmpfs_options("mode=0755");
    EXPECT_EQ(result.attributes, kUsual);
    ASSERT_EQ(result.options.size(), 1U);
    EXPECT_EQ(result.options[0].name, "mode");
    EXPECT_EQ(result.options[0].value, "0755");
}

TEST(TmpfsOptions, TellFlagsOfTheMountFromThoseOfTheFileSystem) {
    const TmpfsOptions result = split_tmpfs_options("ro,size=1m,noexec,nosuid,noswap");
    EXPECT_EQ(result.attributes, kUsual | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID);
    ASSERT_EQ(result.options.size(), 2U);
    EXPECT_EQ(result.options[0].name, "size");
    EXPECT_EQ(result.options[0].value, "1m");
    EXPECT_EQ(result.options[1].name, "noswap");
    EXPECT_EQ(result.options[1].value, "");
}

TEST(TmpfsOptions, LaterWordsBeatEarlierOnes) {
    EXPECT_EQ(split_tmpfs_options("ro,rw,dev").attributes, MOUNT_ATTR_STRICTATIME);
    EXPECT_EQ(split_tmpfs_options("noatime").attributes, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
    EXPECT_EQ(split_tmpfs_options("noatime,relatime").attributes, MOUNT_ATTR_NODEV | MOUNT_ATTR_RELATIME);
}

TEST(TmpfsOptions, LeaveUnknownWordsToTheKernel) {
    const TmpfsOptions result = split_tmpfs_options("bogus,a=b=c,,");
    ASSERT_EQ(result.options.size(), 2U);
    EXPECT_EQ(result.options[0].name, "bogus");
    EXPECT_EQ(result.options[1].value, "b=c");
}

} // namespace
} // namespace nspawn
