// Ephemeral copies on real file systems: what is seen, what is left, where the changes go.
#include "base/error.hpp"
#include "image/scratch_record.hpp"
#include "linux/mount_fd.hpp"
#include "root_fixture.hpp"

#include <gmock/gmock.h>

#include <sys/statvfs.h>
#include <sys/wait.h>

namespace nspawn {

namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Ephemeral : public RootFixture {};

TEST_F(Ephemeral, ChangesStayOutOfTheTreeAndVanish) {
    {
        const RootTree tree = open(ephemeral(), path("tree"));
        EXPECT_TRUE(tree.ephemeral());
        EXPECT_TRUE(tree.is_detached_mount());
        EXPECT_EQ(tree.ephemeral_description(), "overlay, changes in " + path("").substr(0, path("").size() - 1));
        EXPECT_EQ(read(in(tree, "etc/hostname")), "original\n");
        write(in(tree, "etc/hostname"), "changed\n");
        write(in(tree, "new"), "new\n");
        std::filesystem::remove_all(in(tree, "home"));
        std::filesystem::rename(in(tree, "usr"), in(tree, "usr2")); // a directory of the lower layer
        EXPECT_EQ(scratch_in(path("")).size(), 1U);
    }
    EXPECT_EQ(read(path("tree/etc/hostname")), "original\n");
    EXPECT_EQ(names_in(path("tree")), (std::set<std::string>{"usr", "etc", "proc", "tmp", "home"}));
    EXPECT_TRUE(std::filesystem::exists(path("tree/home/user")));
}

TEST_F(Ephemeral, TheTopDirectoryLooksAsBefore) {
    ASSERT_EQ(chown(path("tree").c_str(), 7, 8), 0);
    ASSERT_EQ(chmod(path("tree").c_str(), 01751), 0);
    const RootTree tree = open(ephemeral(), path("tree"));
    struct stat status {};
    ASSERT_EQ(fstat(tree.fd(), &status), 0);
    EXPECT_EQ(status.st_uid, 7U);
    EXPECT_EQ(status.st_gid, 8U);
    EXPECT_EQ(status.st_mode & 07777, 01751U);
}

TEST_F(Ephemeral, SurvivesRestarts) {
    RootTree tree = open(ephemeral(), path("tree"));
    for (int start = 0; start < 3; ++start) {
        const std::string target = path("mnt");
        std::filesystem::create_directory(target);
        ASSERT_TRUE(MountFd(UniqueFd(dup(tree.fd()))).attach(AT_FDCWD, target.c_str()).ok()) << start;
        if (start > 0) {
            EXPECT_EQ(read(target + "/etc/state"), std::to_string(start - 1));
        }
        write(target + "/etc/state", std::to_string(start));
        ASSERT_EQ(umount2(target.c_str(), MNT_DETACH), 0); // as when the container's namespace ends
        tree.renew();
    }
    EXPECT_EQ(read(in(tree, "etc/state")), "2");
}

TEST_F(Ephemeral, ReadOnlyMeansReadOnly) {
    Config config = ephemeral();
    config.read_only = true;
    RootTree tree = open(config, path("tree"));
    EXPECT_EQ(mkdirat(tree.fd(), "x", 0755), -1);
    EXPECT_EQ(errno, EROFS);
    tree.renew();
    EXPECT_EQ(mkdirat(tree.fd(), "x", 0755), -1);
    EXPECT_EQ(errno, EROFS);
}

TEST_F(Ephemeral, MissingTopDirectoriesAreMadeInTheCopy) {
    const RootTree tree = open(ephemeral(), path("tree"));
    EXPECT_TRUE(std::filesystem::exists(in(tree, "dev")));
    EXPECT_FALSE(std::filesystem::exists(path("tree/dev")));
}

TEST_F(Ephemeral, TheHostsOwnTreeWorksWithoutItsMounts) {
    write(path("seen"), "1");
    const RootTree tree = open(ephemeral(), "/");
    EXPECT_THAT(tree.ephemeral_description(), StartsWith("overlay, changes in "));
    EXPECT_TRUE(names_in(in(tree, "proc")).empty());
    EXPECT_TRUE(names_in(in(tree, "sys")).empty());
    EXPECT_EQ(scratch_in(in(tree, "var/tmp")), std::set<std::string>{}); // its own layer is not seen from within
    write(in(tree, "usr/nspawn-test-file"), "1");
    EXPECT_FALSE(std::filesystem::exists("/usr/nspawn-test-file"));
    struct stat above {};
    struct stat below {};
    for (const char* name : {"tmp", "var", "var/tmp"}) {
        ASSERT_EQ(stat(in(tree, name).c_str(), &above), 0);
        ASSERT_EQ(stat((std::string("/") + name).c_str(), &below), 0);
        EXPECT_EQ(above.st_mode, below.st_mode) << name;
        EXPECT_EQ(above.st_uid, below.st_uid) << name;
    }
}

TEST_F(Ephemeral, MountsBelowTheTreeAreNotPartOfIt) {
    ASSERT_EQ(mount("none", path("tree/home").c_str(), "tmpfs", 0, nullptr), 0);
    write(path("tree/home/on-a-mount"), "1");
    {
        const RootTree tree = open(ephemeral(), path("tree"));
        EXPECT_EQ(names_in(in(tree, "home")), std::set<std::string>{"user"});
    }
    ASSERT_EQ(umount(path("tree/home").c_str()), 0);
}

// A directory that is a mount point of a file system of its own: its sibling would be on another disk.
TEST_F(Ephemeral, AMountPointKeepsItsChangesInVarTmp) {
    std::filesystem::create_directory(path("mnt"));
    ASSERT_EQ(mount("none", path("mnt").c_str(), "tmpfs", 0, nullptr), 0);
    make_tree(path("mnt"));
    const RootTree tree = open(ephemeral(), path("mnt"));
    EXPECT_EQ(tree.ephemeral_description(), "overlay, changes in /var/tmp");
    EXPECT_EQ(read(in(tree, "etc/hostname")), "original\n");
}

class WithoutDisk : public Ephemeral {
protected:
    void TearDown() override {
        umount2("/var/tmp", MNT_DETACH);
        umount2(path("").c_str(), MNT_DETACH);
        Ephemeral::TearDown();
    }
    void make_read_only(const std::string& directory) {
        ASSERT_EQ(mount(directory.c_str(), directory.c_str(), nullptr, MS_BIND, nullptr), 0);
        ASSERT_EQ(mount(nullptr, directory.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
    }
};

TEST_F(WithoutDisk, AReadOnlyPlaceLeadsToVarTmp) {
    make_read_only(path(""));
    const RootTree tree = open(ephemeral(), path("tree"));
    EXPECT_EQ(tree.ephemeral_description(), "overlay, changes in /var/tmp");
    write(in(tree, "etc/hostname"), "changed\n");
}

TEST_F(WithoutDisk, NoDiskLeadsToMemory) {
    make_read_only(path(""));
    make_read_only("/var/tmp");
    RootTree tree = open(ephemeral(), path("tree"));
    EXPECT_EQ(tree.ephemeral_description(), "overlay, changes in memory");
    write(in(tree, "etc/hostname"), "changed\n");
    tree.renew();
    EXPECT_EQ(read(in(tree, "etc/hostname")), "changed\n");
}

TEST_F(Ephemeral, ATreeThatIsNoneCostsNoCopy) {
    std::filesystem::create_directory(path("empty"));
    EXPECT_THROW((void)open(ephemeral(), path("empty")), Error);
    EXPECT_EQ(scratch_in(path("")), std::set<std::string>{});
}

// What the payload can do to hinder the removal.
TEST_F(Ephemeral, HostileContentsAreRemoved) {
    {
        const RootTree tree = open(ephemeral(), path("tree"));
        std::filesystem::create_directories(in(tree, "a/b/c"));
        write(in(tree, "a/b/c/file"), "1");
        std::filesystem::create_symlink("/etc", in(tree, "a/link"));
        ASSERT_EQ(mknod(in(tree, "a/fifo").c_str(), S_IFIFO | 0666, 0), 0);
        ASSERT_EQ(system(("chattr +i " + in(tree, "a/b/c/file") + " " + in(tree, "a/b")).c_str()), 0);
        ASSERT_EQ(chmod(in(tree, "a").c_str(), 0), 0);
    }
    EXPECT_EQ(scratch_in(path("")), std::set<std::string>{});
    EXPECT_TRUE(std::filesystem::exists("/etc/passwd"));
}

// Who owns the place can rename what is in it.
TEST_F(Ephemeral, WhatWasPutInItsPlaceIsNotRemoved) {
    std::string name;
    {
        const RootTree tree = open(ephemeral(), path("tree"));
        write(in(tree, "file"), "1");
        name = path(*scratch_in(path("")).begin());
        std::filesystem::rename(name, path("elsewhere"));
        std::filesystem::create_directories(name + "/precious");
    }
    EXPECT_TRUE(std::filesystem::exists(name + "/precious"));
    EXPECT_TRUE(std::filesystem::is_empty(path("elsewhere")));
    std::filesystem::remove_all(name);
    reclaim_dead_runs();
}

pid_t start_run(const std::string& directory) {
    int ready[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
        Config config;
        config.ephemeral = true;
        const RootTree tree = RootTree::open(config, {}, select_root(directory, "", "", true));
        (void)!::write(ready[1], "x", 1);
        pause();
        _exit(1);
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

void kill_and_reap(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
}

TEST_F(Ephemeral, AKilledRunIsClearedAwayByTheNextAndALivingOneIsNot) {
    const pid_t dead = start_run(path("tree"));
    const pid_t alive = start_run(path("tree"));
    kill_and_reap(dead);
    EXPECT_EQ(scratch_in(path("")).size(), 2U);
    reclaim_dead_runs();
    EXPECT_EQ(scratch_in(path("")).size(), 1U);
    kill_and_reap(alive);
    reclaim_dead_runs();
}

// The records in /run do not survive a crash of the whole machine; the next copy beside it finds the leftover.
TEST_F(Ephemeral, LeftoversWithoutRecordAreSweptByTheNextCopy) {
    ASSERT_EQ(chmod(path("").c_str(), 0755), 0);
    const std::set<std::string> before = names_in("/run/nspawn/runs");
    const pid_t dead = start_run(path("tree"));
    kill_and_reap(dead);
    for (const std::string& record : names_in("/run/nspawn/runs")) {
        if (!before.contains(record)) {
            std::filesystem::remove("/run/nspawn/runs/" + record);
        }
    }
    // Neither of these is ours, whatever it is called.
    std::filesystem::create_directories(path(".#nspawn.tree.0123456789abcdef/precious"));
    std::filesystem::create_directories(path(".#nspawn.tree/upper"));
    ASSERT_EQ(chmod(path(".#nspawn.tree.0123456789abcdef").c_str(), 0700), 0);
    const std::set<std::string> leftovers = scratch_in(path(""));
    ASSERT_EQ(leftovers.size(), 3U);
    { const RootTree tree = open(ephemeral(), path("tree")); }
    EXPECT_EQ(scratch_in(path("")), (std::set<std::string>{".#nspawn.tree", ".#nspawn.tree.0123456789abcdef"}));
    std::filesystem::remove_all(path(".#nspawn.tree"));
    std::filesystem::remove_all(path(".#nspawn.tree.0123456789abcdef"));
}

class Btrfs : public Ephemeral {
protected:
    void SetUp() override {
        Ephemeral::SetUp();
        const std::string image = path("image");
        std::filesystem::create_directory(path("mnt"));
        ASSERT_EQ(truncate_to(image, 256 << 20), 0);
        if (system(("mkfs.btrfs -q " + image + " >/dev/null 2>&1 && mount -o loop " + image + " " + path("mnt"))
                       .c_str()) != 0) {
            GTEST_SKIP() << "no btrfs here";
        }
        run("btrfs -q subvolume create " + path("mnt/tree"));
        make_tree(path("mnt/tree"));
        run("btrfs -q subvolume create " + path("mnt/tree/home/nested"));
        run("btrfs -q subvolume create " + path("mnt/tree/home/nested/deeper"));
        write(path("mnt/tree/home/nested/deeper/file"), "nested\n");
    }
    void TearDown() override {
        umount(path("mnt").c_str());
        Ephemeral::TearDown();
    }
    static int truncate_to(const std::string& file, off_t size) {
        write(file, "");
        return truncate(file.c_str(), size);
    }
    static void run(const std::string& command) { ASSERT_EQ(system(command.c_str()), 0) << command; }
};

TEST_F(Btrfs, ASubvolumeIsSnapshotWithAllNestedInIt) {
    {
        const RootTree tree = open(ephemeral(), path("mnt/tree"));
        EXPECT_EQ(tree.ephemeral_description(), "btrfs snapshot");
        EXPECT_FALSE(tree.is_detached_mount());
        EXPECT_EQ(read(in(tree, "home/nested/deeper/file")), "nested\n");
        write(in(tree, "home/nested/deeper/file"), "changed\n");
        run("btrfs -q subvolume create " + in(tree, "made-inside"));
        run("btrfs -q subvolume snapshot -r " + in(tree, "home/nested") + " " + in(tree, "made-inside/read-only"));
        EXPECT_EQ(scratch_in(path("mnt")).size(), 1U);
    }
    EXPECT_EQ(read(path("mnt/tree/home/nested/deeper/file")), "nested\n");
    EXPECT_EQ(scratch_in(path("mnt")), std::set<std::string>{});
    EXPECT_EQ(system(("test $(btrfs subvolume list " + path("mnt") + " | wc -l) = 3").c_str()), 0);
}

TEST_F(Btrfs, AReadOnlyCopyIsAReadOnlySnapshot) {
    Config config = ephemeral();
    config.read_only = true;
    const RootTree tree = open(config, path("mnt/tree"));
    for (const char* name : {"x", "home/nested/x", "home/nested/deeper/x"}) {
        EXPECT_EQ(mkdir(in(tree, name).c_str(), 0755), -1);
        EXPECT_EQ(errno, EROFS) << name;
    }
}

TEST_F(Btrfs, AMountedSubvolumeIsSnapshotWithinItself) {
    std::filesystem::create_directory(path("mnt2"));
    run("mount -o subvol=tree " + path("image") + " " + path("mnt2") +
        " || mount -o subvol=tree $(findmnt -no SOURCE " + path("mnt") + ") " + path("mnt2"));
    {
        const RootTree tree = open(ephemeral(), path("mnt2"));
        EXPECT_EQ(tree.ephemeral_description(), "btrfs snapshot");
        EXPECT_EQ(scratch_in(path("mnt2")).size(), 1U);
        EXPECT_EQ(scratch_in(in(tree, "")), std::set<std::string>{});
    }
    EXPECT_EQ(scratch_in(path("mnt2")), std::set<std::string>{});
    ASSERT_EQ(umount(path("mnt2").c_str()), 0);
}

TEST_F(Btrfs, ADirectoryThatIsNoSubvolumeGetsAnOverlay) {
    make_tree(path("mnt/plain"));
    const RootTree tree = open(ephemeral(), path("mnt/plain"));
    EXPECT_EQ(tree.ephemeral_description(), "overlay, changes in " + path("mnt"));
    write(in(tree, "etc/hostname"), "changed\n");
    std::filesystem::remove(in(tree, "etc/hostname"));
}

TEST_F(Btrfs, AKilledRunsSnapshotIsClearedAway) {
    kill_and_reap(start_run(path("mnt/tree")));
    EXPECT_EQ(scratch_in(path("mnt")).size(), 1U);
    reclaim_dead_runs();
    EXPECT_EQ(scratch_in(path("mnt")), std::set<std::string>{});
    EXPECT_EQ(system(("test $(btrfs subvolume list " + path("mnt") + " | wc -l) = 3").c_str()), 0);
}

} // namespace

} // namespace nspawn
