// The tree's lock, against ourselves and against systemd-nspawn.
#include "base/error.hpp"
#include "image/tree_lock.hpp"
#include "linux/cgroup_branch.hpp"
#include "linux/cgroup_hierarchies.hpp"
#include "root_fixture.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <sys/wait.h>

namespace nspawn {

namespace {

using testing::HasSubstr;
using Mode = TreeLock::Mode;

class Lock : public RootFixture {
protected:
    [[nodiscard]] TreeLock take(Mode mode) const {
        const UniqueFd tree =
            open_at(AT_FDCWD, path("tree").c_str(), O_RDONLY | O_DIRECTORY).or_throw("opening the tree");
        return TreeLock::acquire(tree.get(), path("tree"), mode);
    }
    [[nodiscard]] bool is_busy(Mode mode) const {
        try {
            (void)take(mode);
            return false;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), EBUSY) << error.message();
            return true;
        }
    }
    [[nodiscard]] std::string global_file() const {
        struct stat status {};
        EXPECT_EQ(stat(path("tree").c_str(), &status), 0);
        return "/run/systemd/nspawn/locks/inode-" + std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
    }
    void expect_no_files() const {
        EXPECT_FALSE(std::filesystem::exists(path(".#tree.lck")));
        EXPECT_FALSE(std::filesystem::exists(global_file()));
    }
};

TEST_F(Lock, OneWriterOrManyReaders) {
    {
        const TreeLock writer = take(Mode::exclusive);
        EXPECT_TRUE(is_busy(Mode::exclusive));
        EXPECT_TRUE(is_busy(Mode::shared));
    }
    {
        const TreeLock reader = take(Mode::shared);
        EXPECT_FALSE(is_busy(Mode::shared));
        EXPECT_TRUE(is_busy(Mode::exclusive));
    }
    expect_no_files();
}

TEST_F(Lock, TheLastReaderRemovesTheFiles) {
    std::optional<TreeLock> first(take(Mode::shared));
    std::optional<TreeLock> second(take(Mode::shared));
    first.reset();
    EXPECT_TRUE(std::filesystem::exists(global_file()));
    EXPECT_TRUE(is_busy(Mode::exclusive));
    second.reset();
    expect_no_files();
}

// Each of them is the last one now and then, several think so at once, and others arrive meanwhile.
TEST_F(Lock, ReadersThatComeAndGoAtOnceNeverMeetABusyTreeAndLeaveNothing) {
    std::atomic<int> failures = 0;
    std::vector<std::thread> readers;
    for (int reader = 0; reader < 8; ++reader) {
        readers.emplace_back([&] {
            for (int round = 0; round < 300; ++round) {
                try {
                    (void)take(Mode::shared);
                } catch (const Error&) {
                    ++failures;
                }
            }
        });
    }
    for (std::thread& reader : readers) {
        reader.join();
    }
    EXPECT_EQ(failures, 0);
    expect_no_files();
}

TEST_F(Lock, SaysWhoHasIt) {
    const TreeLock writer = take(Mode::exclusive);
    try {
        (void)take(Mode::exclusive);
        ADD_FAILURE() << "not busy";
    } catch (const Error& error) {
        EXPECT_THAT(error.message(), HasSubstr("is currently busy (by process " + std::to_string(getpid())));
    }
}

TEST_F(Lock, HoldsForEveryPathOfTheTree) {
    std::filesystem::create_directory(path("mnt"));
    ASSERT_EQ(mount(path("tree").c_str(), path("mnt").c_str(), nullptr, MS_BIND, nullptr), 0);
    const TreeLock writer = take(Mode::exclusive);
    EXPECT_THROW((void)open(Config{}, path("mnt")), Error);
}

TEST_F(Lock, AReadOnlyPlaceIsNoObstacle) {
    ASSERT_EQ(mount(path("").c_str(), path("").c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(mount(nullptr, path("").c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
    {
        const TreeLock writer = take(Mode::exclusive);
        EXPECT_TRUE(is_busy(Mode::exclusive));
    }
    ASSERT_EQ(umount2(path("").c_str(), MNT_DETACH), 0);
    expect_no_files();
}

TEST_F(Lock, CanBeTurnedOff) {
    std::filesystem::create_directories(path("tree/usr"));
    const TreeLock writer = take(Mode::exclusive);
    const auto selection = [&] { return select_root(path("tree"), "", "", false); };
    EnvironmentSwitches switches;
    EXPECT_THROW(RootTree::open({}, switches, selection()), Error);
    switches.lock = false;
    EXPECT_NO_THROW(RootTree::open({}, switches, selection()));
}

TEST_F(Lock, WhatSomebodyPutInItsPlaceIsNotFollowedAndDoesNotBlock) {
    std::filesystem::create_symlink(path("target"), path(".#tree.lck"));
    { const TreeLock writer = take(Mode::exclusive); }
    EXPECT_FALSE(std::filesystem::exists(path("target")));
    std::filesystem::remove(path(".#tree.lck"));
    ASSERT_EQ(mkfifo(path(".#tree.lck").c_str(), 0600), 0);
    { const TreeLock writer = take(Mode::exclusive); }
    EXPECT_TRUE(std::filesystem::is_fifo(path(".#tree.lck")));
}

TEST_F(Lock, TheHostsTreeIsTheHosts) {
    const UniqueFd root = open_at(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY).or_throw("/");
    EXPECT_THROW((void)TreeLock::acquire(root.get(), "/", Mode::exclusive), Error);
    EXPECT_NO_THROW((void)TreeLock::acquire(root.get(), "/", Mode::shared));
}

TEST_F(Lock, AnEphemeralCopyLeavesItsSourceUnlocked) {
    const TreeLock writer = take(Mode::exclusive);
    EXPECT_NO_THROW((void)open(ephemeral(), path("tree")));
}

class LockOfTheOriginal : public Lock {
protected:
    void SetUp() override {
        Lock::SetUp();
        if (access("/usr/bin/systemd-nspawn", X_OK) != 0 || access("/bin/busybox", X_OK) != 0) {
            GTEST_SKIP() << "needs systemd-container and busybox-static";
        }
        for (const char* name : {"dev", "run", "sys", "var", "root"}) {
            std::filesystem::create_directory(path("tree/") + name); // nothing that the read-only start has to make
        }
        std::filesystem::copy_file("/bin/busybox", path("tree/usr/bin/busybox"));
        std::filesystem::create_directory_symlink("usr/bin", path("tree/bin"));
    }
    // The original leaves its empty control group behind.
    void TearDown() override {
        if (const auto& version2 = probe_cgroups().version2) {
            (void)remove_empty_leftover_cgroup(version2->unit + "/payload");
        }
        Lock::TearDown();
    }
    // Runs `script` in the tree; true when it ran.
    [[nodiscard]] bool run(const std::string& options, const std::string& script) const {
        return system(("/usr/bin/systemd-nspawn -q -P --register=no --keep-unit " + options + " -D " + path("tree") +
                       " /bin/busybox sh -c '" + script + "' </dev/null 2>" + path("err"))
                          .c_str()) == 0;
    }
};

TEST_F(LockOfTheOriginal, StopsItWhileWeHoldTheTree) {
    {
        const TreeLock writer = take(Mode::exclusive);
        EXPECT_FALSE(run("", "true"));
        EXPECT_THAT(read(path("err")), HasSubstr("currently busy"));
        EXPECT_FALSE(run("--read-only", "true"));
    }
    {
        const TreeLock reader = take(Mode::shared);
        EXPECT_FALSE(run("", "true"));
        EXPECT_TRUE(run("--read-only", "true")) << read(path("err"));
    }
    EXPECT_TRUE(run("", "true")) << read(path("err"));
}

TEST_F(LockOfTheOriginal, StopsUsWhileItHoldsTheTree) {
    ASSERT_EQ(mkfifo(path("tree/ready").c_str(), 0600), 0);
    ASSERT_EQ(mkfifo(path("tree/go").c_str(), 0600), 0);
    for (const bool read_only : {false, true}) {
        const pid_t child = fork();
        if (child == 0) {
            _exit(run(read_only ? "--read-only" : "", "echo >/ready; cat /go") ? 0 : 1);
        }
        std::ifstream(path("tree/ready")).get(); // until it runs
        EXPECT_TRUE(is_busy(Mode::exclusive));
        EXPECT_EQ(is_busy(Mode::shared), !read_only);
        write(path("tree/go"), "");
        int status = 0;
        waitpid(child, &status, 0);
        EXPECT_EQ(status, 0) << read(path("err"));
    }
}

} // namespace

} // namespace nspawn
