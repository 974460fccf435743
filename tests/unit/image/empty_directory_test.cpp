#include "image/empty_directory.hpp"
#include "tree_fixture.hpp"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

namespace nspawn {

namespace {

class EmptyDirectory : public TreeFixture {
protected:
    [[nodiscard]] Result<void> empty(const char* name) const {
        const UniqueFd directory = open_at(tree(), name, O_RDONLY | O_DIRECTORY).or_throw(name);
        return empty_directory(directory.get());
    }
    void expect_empty(std::string_view name) const { EXPECT_TRUE(std::filesystem::is_empty(path(name))); }
};

TEST_F(EmptyDirectory, TakesEveryKindOfEntry) {
    file("tree/x/file", "1");
    file("tree/x/a/b/c/file", "2");
    directory("tree/x/empty");
    link("tree/x/dangling", "/nonexistent");
    fifo("tree/x/fifo");
    EXPECT_TRUE(empty("x").ok());
    expect_empty("tree/x");
}

TEST_F(EmptyDirectory, NeverFollowsALink) {
    file("kept/deep/file", "1");
    link("tree/x/relative", "../../kept");
    link("tree/x/sub/absolute", path("kept"));
    link("tree/x/sub/up", "..");
    EXPECT_TRUE(empty("x").ok());
    expect_empty("tree/x");
    EXPECT_TRUE(exists("kept/deep/file"));
}

TEST_F(EmptyDirectory, TakesDirectoriesWithoutPermissions) {
    file("tree/x/locked/deep/file", "1");
    chmod(path("tree/x/locked/deep").c_str(), 0000);
    chmod(path("tree/x/locked").c_str(), 0000);
    EXPECT_TRUE(empty("x").ok());
    expect_empty("tree/x");
}

// Far deeper than descriptors or path lengths allow.
TEST_F(EmptyDirectory, DepthDoesNotMatter) {
    directory("tree/x");
    UniqueFd here = open_at(tree(), "x", O_RDONLY | O_DIRECTORY).or_throw("x");
    for (int depth = 0; depth < 500; ++depth) {
        ASSERT_EQ(mkdirat(here.get(), "a-directory", 0700), 0);
        ASSERT_TRUE(open_at(here.get(), "file", O_CREAT | O_WRONLY, 0600).ok());
        here = open_at(here.get(), "a-directory", O_RDONLY | O_DIRECTORY).or_throw("deeper");
    }
    here.reset();
    file("tree/x/.#moved.0/of/an/interrupted/run", "");
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit few{64, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    const Result<void> removed = empty("x");
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(removed.ok()) << removed.system_error().call << " " << removed.error();
    expect_empty("tree/x");
}

TEST_F(EmptyDirectory, WideDirectoriesAreReadPieceByPiece) {
    for (int i = 0; i < 600; ++i) {
        directory("tree/x/some-rather-long-name-so-that-the-buffer-is-full-soon-" + std::to_string(i) + "/y");
    }
    EXPECT_TRUE(empty("x").ok());
    expect_empty("tree/x");
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

TEST_F(EmptyDirectory, TakesImmutableFilesAndDirectories) {
    file("tree/x/immutable/file", "1");
    file("tree/x/append/file", "1");
    if (!set_flag(path("tree/x/immutable/file"), FS_IMMUTABLE_FL, true)) {
        GTEST_SKIP() << "this file system or user cannot set the flag";
    }
    ASSERT_TRUE(set_flag(path("tree/x/immutable"), FS_IMMUTABLE_FL, true));
    ASSERT_TRUE(set_flag(path("tree/x/append"), FS_APPEND_FL, true));
    EXPECT_TRUE(empty("x").ok());
    expect_empty("tree/x");
}

} // namespace

} // namespace nspawn
