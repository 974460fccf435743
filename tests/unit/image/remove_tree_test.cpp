#include "image/remove_tree.hpp"
#include "tree_fixture.hpp"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

namespace nspawn {

namespace {

class RemoveTree : public TreeFixture {};

TEST_F(RemoveTree, TakesEveryKindOfEntry) {
    file("tree/x/file", "1");
    file("tree/x/a/b/c/file", "2");
    directory("tree/x/empty");
    link("tree/x/dangling", "/nonexistent");
    fifo("tree/x/fifo");
    EXPECT_TRUE(remove_tree(tree(), "x").ok());
    EXPECT_FALSE(exists("tree/x"));
}

TEST_F(RemoveTree, WhatIsGoneIsASuccess) { EXPECT_TRUE(remove_tree(tree(), "nothing").ok()); }

TEST_F(RemoveTree, ASingleFileAndALinkAreTreesToo) {
    file("tree/file", "1");
    file("kept/file", "2");
    link("tree/link", "../kept");
    EXPECT_TRUE(remove_tree(tree(), "file").ok());
    EXPECT_TRUE(remove_tree(tree(), "link").ok());
    EXPECT_FALSE(exists("tree/link"));
    EXPECT_TRUE(exists("kept/file"));
}

TEST_F(RemoveTree, NeverFollowsALink) {
    file("kept/deep/file", "1");
    link("tree/x/relative", "../../kept");
    link("tree/x/sub/absolute", path("kept"));
    link("tree/x/sub/up", "..");
    EXPECT_TRUE(remove_tree(tree(), "x").ok());
    EXPECT_FALSE(exists("tree/x"));
    EXPECT_TRUE(exists("kept/deep/file"));
}

TEST_F(RemoveTree, TakesDirectoriesWithoutPermissions) {
    file("tree/x/locked/deep/file", "1");
    chmod(path("tree/x/locked/deep").c_str(), 0000);
    chmod(path("tree/x/locked").c_str(), 0000);
    EXPECT_TRUE(remove_tree(tree(), "x").ok());
    EXPECT_FALSE(exists("tree/x"));
}

// Far deeper than descriptors or path lengths allow.
TEST_F(RemoveTree, DepthDoesNotMatter) {
    directory("tree/x");
    UniqueFd here = open_at(tree(), "x", O_RDONLY | O_DIRECTORY).or_throw("x");
    for (int depth = 0; depth < 500; ++depth) {
        ASSERT_EQ(mkdirat(here.get(), "a-directory", 0700), 0);
        ASSERT_TRUE(open_at(here.get(), "file", O_CREAT | O_WRONLY, 0600).ok());
        here = open_at(here.get(), "a-directory", O_RDONLY | O_DIRECTORY).or_throw("deeper");
    }
    here.reset();
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit few{64, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    const Result<void> removed = remove_tree(tree(), "x");
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(removed.ok()) << removed.system_error().call << " " << removed.error();
    EXPECT_FALSE(exists("tree/x"));
}

TEST_F(RemoveTree, WideDirectoriesAreReadPieceByPiece) {
    for (int i = 0; i < 600; ++i) {
        directory("tree/x/some-rather-long-name-so-that-the-buffer-is-full-soon-" + std::to_string(i) + "/y");
    }
    EXPECT_TRUE(remove_tree(tree(), "x").ok());
    EXPECT_FALSE(exists("tree/x"));
}

bool set_flag(const std::string& path, int flag, bool on) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    int flags = 0;
    if (ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) < 0) {
        return false;
    }
    flags = on ? flags | flag : flags & ~flag;
    return ioctl(fd.get(), FS_IOC_SETFLAGS, &flags) == 0;
}

TEST_F(RemoveTree, TakesImmutableFilesAndDirectories) {
    file("tree/x/immutable/file", "1");
    file("tree/x/append/file", "1");
    if (!set_flag(path("tree/x/immutable/file"), FS_IMMUTABLE_FL, true)) {
        GTEST_SKIP() << "this file system or user cannot set the flag";
    }
    ASSERT_TRUE(set_flag(path("tree/x/immutable"), FS_IMMUTABLE_FL, true));
    ASSERT_TRUE(set_flag(path("tree/x/append"), FS_APPEND_FL, true));
    EXPECT_TRUE(remove_tree(tree(), "x").ok());
    EXPECT_FALSE(exists("tree/x"));
}

// The directory that the tree hangs in belongs to somebody else.
TEST_F(RemoveTree, LeavesTheFlagsOfThePlaceAlone) {
    file("tree/place/x/file", "1");
    if (!set_flag(path("tree/place"), FS_IMMUTABLE_FL, true)) {
        GTEST_SKIP() << "this file system or user cannot set the flag";
    }
    const UniqueFd place = open_at(tree(), "place", O_RDONLY | O_DIRECTORY).or_throw("place");
    EXPECT_EQ(remove_tree(place.get(), "x").error(), EPERM);
    EXPECT_TRUE(exists("tree/place/x"));
    ASSERT_TRUE(set_flag(path("tree/place"), FS_IMMUTABLE_FL, false));
}

} // namespace

} // namespace nspawn
