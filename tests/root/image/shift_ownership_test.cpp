// Ownership shifts on real file systems: what changes, what stays, what is never touched.
#include "base/error.hpp"
#include "image/shift_ownership.hpp"
#include "renames_meanwhile.hpp"
#include "root_fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>

#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace nspawn {

namespace {

using testing::HasSubstr;

constexpr uint32_t kBase = 0x12340000;

class ShiftOwnership : public RootFixture {
protected:
    void shift(uint32_t base) const { shift_at("tree", base); }
    void shift_at(std::string_view name, uint32_t base) const {
        const UniqueFd tree = open_at(AT_FDCWD, path(name).c_str(), O_RDONLY | O_DIRECTORY).or_throw("tree");
        shift_ownership(tree.get(), path(name), base);
    }
    // "uid:gid mode" of each path below, as one text.
    [[nodiscard]] std::string owner(std::string_view name) const {
        struct stat status {};
        if (lstat(path(name).c_str(), &status) < 0) {
            return "missing";
        }
        return fmt::format("{:x}:{:x} {:o}", status.st_uid, status.st_gid, status.st_mode & 07777);
    }
    [[nodiscard]] std::string output_of(const std::string& command) const {
        FILE* pipe = popen(("cd " + path("tree") + " && " + command + " 2>&1").c_str(), "r");
        std::string text;
        for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) {
            text += static_cast<char>(c);
        }
        pclose(pipe);
        return text;
    }
    void run(const std::string& command) const {
        ASSERT_EQ(system(("cd " + path("tree") + " && " + command).c_str()), 0) << command;
    }
    void give(std::string_view name, uid_t uid, gid_t gid, mode_t mode) const {
        ASSERT_EQ(lchown(path(name).c_str(), uid, gid), 0);
        ASSERT_EQ(chmod(path(name).c_str(), mode), 0);
    }
    // Everything that a shift may have a hand in.
    [[nodiscard]] std::string listing() const {
        return output_of("find . -printf '%p %U:%G %m %l\\n' | sort; getfacl -nR . ; getfattr -dR -m - -e hex .");
    }
};

TEST_F(ShiftOwnership, EverythingGetsAnIdOfTheRange) {
    give("tree/etc/hostname", 1000, 33, 0640);
    run("ln -s /nowhere link && chown -h 5:6 link && mkfifo fifo && mknod null c 1 3 && chown 65543 null");
    shift(kBase);
    EXPECT_EQ(owner("tree"), "12340000:12340000 755");
    EXPECT_EQ(owner("tree/home/user"), "12340000:12340000 755");
    EXPECT_EQ(owner("tree/etc/hostname"), "123403e8:12340021 640");
    EXPECT_EQ(owner("tree/link"), "12340005:12340006 777");
    EXPECT_EQ(owner("tree/null"), "12340007:12340000 644");
    shift(0);
    EXPECT_EQ(owner("tree/etc/hostname"), "3e8:21 640");
}

TEST_F(ShiftOwnership, BitsAndCapabilitiesSurvive) {
    give("tree/etc/hostname", 1, 2, 06755);
    run("touch ping group && chmod 2700 group && chmod 3775 tmp && setcap cap_net_raw=ep ping");
    const std::string before = listing();
    shift(kBase);
    EXPECT_EQ(owner("tree/etc/hostname"), "12340001:12340002 6755");
    EXPECT_EQ(owner("tree/group"), "12340000:12340000 2700");
    EXPECT_EQ(owner("tree/tmp"), "12340000:12340000 3775");
    EXPECT_EQ(output_of("getcap -n ping"), "ping cap_net_raw=ep [rootid=305397760]\n");
    shift(kBase + 65536);
    EXPECT_EQ(output_of("getcap -n ping"), "ping cap_net_raw=ep [rootid=305463296]\n");
    shift(0);
    EXPECT_EQ(listing(), before);
}

TEST_F(ShiftOwnership, AccessControlListsAreShiftedToo) {
    run("setfacl -m u:1000:rw,g:33:r,m:rw etc/hostname && setfacl -m d:u:7:rwx,u:8:r home");
    const std::string before = listing();
    shift(kBase);
    EXPECT_THAT(output_of("getfacl -n etc/hostname"), HasSubstr("user:305398760:rw-\ngroup::r--\ngroup:305397793:r--"));
    EXPECT_THAT(output_of("getfacl -n home"), HasSubstr("user:305397768:r--"));
    EXPECT_THAT(output_of("getfacl -n home"), HasSubstr("default:user:305397767:rwx"));
    shift(0);
    EXPECT_EQ(listing(), before);
}

TEST_F(ShiftOwnership, AMatchingTopIsAllThatIsLookedAt) {
    shift(kBase);
    give("tree/etc/hostname", 1000, 33, 0644);
    shift(kBase);
    EXPECT_EQ(owner("tree/etc/hostname"), "3e8:21 644");
}

TEST_F(ShiftOwnership, AnInterruptedRunIsTakenUp) {
    give("tree/etc/hostname", 1, 2, 04755);
    run("setfacl -m u:1000:rw home");
    const std::string before = listing();
    // As a run leaves it that was killed between the change of owner and what follows it.
    ASSERT_EQ(chown(path("tree").c_str(), 0xfffe0000, 0), 0);
    ASSERT_EQ(chown(path("tree/etc/hostname").c_str(), kBase + 1, kBase + 2), 0);
    EXPECT_EQ(owner("tree/etc/hostname"), "12340001:12340002 755");
    const std::string keepsake("\0\x08\0\0", 4);
    ASSERT_EQ(setxattr(path("tree/etc/hostname").c_str(), "trusted.nspawn.shift", keepsake.data(), 4, 0), 0);
    ASSERT_EQ(chown(path("tree/home").c_str(), kBase, kBase), 0);
    shift(kBase);
    EXPECT_EQ(owner("tree"), "12340000:12340000 755");
    EXPECT_EQ(owner("tree/etc/hostname"), "12340001:12340002 4755");
    EXPECT_THAT(output_of("getfacl -n home"), HasSubstr("user:305398760:rw-"));
    shift(0);
    EXPECT_EQ(listing(), before);
}

TEST_F(ShiftOwnership, AKilledRunNeverLosesAnything) {
    for (int number = 0; number < 300; ++number) {
        run(fmt::format("touch usr/bin/f{0} && chmod {1} usr/bin/f{0}", number, number % 2 == 0 ? "4755" : "0644"));
    }
    run("setcap cap_net_raw=ep usr/bin/f1 cap_net_raw=ep usr/bin/f3");
    const std::string before = listing();
    shift(kBase);
    const std::string after = listing();
    uint32_t base = 0;
    for (int round = 0; round < 60; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            shift(base);
            _exit(0);
        }
        usleep(static_cast<useconds_t>(round * 70));
        ::kill(child, SIGKILL);
        ASSERT_EQ(waitpid(child, nullptr, 0), child);
        if (round % 3 == 2) {
            shift(base);
            EXPECT_EQ(listing(), base == 0 ? before : after) << "round " << round;
        }
        base = round % 3 == 2 ? kBase - base : base;
    }
}

TEST_F(ShiftOwnership, WhatIsMountedInTheTreeIsLeftAlone) {
    std::filesystem::create_directory(path("outside"));
    write(path("outside/file"), "");
    write(path("tree/target"), "");
    run("mount --bind ../outside home/user && mount --bind ../outside/file target && mount -t tmpfs x proc");
    shift(kBase);
    EXPECT_EQ(owner("outside"), "0:0 755");
    EXPECT_EQ(owner("outside/file"), "0:0 644");
    EXPECT_EQ(owner("tree/proc"), "0:0 1777");
    run("umount home/user target proc");
}

TEST_F(ShiftOwnership, LinksAreNotFollowedAndNamesShared) {
    std::filesystem::create_directory(path("outside"));
    write(path("outside/file"), "");
    run("ln -s ../outside out && ln -s ../../outside/file etc/out && ln etc/hostname usr/other-name");
    shift(kBase);
    EXPECT_EQ(owner("outside"), "0:0 755");
    EXPECT_EQ(owner("outside/file"), "0:0 644");
    EXPECT_EQ(owner("tree/usr/other-name"), "12340000:12340000 644");
}

TEST_F(ShiftOwnership, RenamesMeanwhileLeadNowhereElse) {
    std::filesystem::create_directories(path("outside/a"));
    write(path("outside/a/file"), "");
    write(path("outside/file"), "");
    for (int number = 0; number < 200; ++number) {
        write(path("tree/etc/f" + std::to_string(number)), "");
        std::filesystem::create_directories(path("tree/home/d" + std::to_string(number) + "/a"));
    }
    run("ln -s ../../outside home/link && ln -s ../../outside/file etc/link && setfacl -m u:1:r etc/f7 etc/f8");
    {
        const RenamesMeanwhile renames(path("tree"), 200);
        for (uint32_t round = 1; round < 60; ++round) {
            EXPECT_NO_THROW(shift(round * 65536));
        }
    }
    for (const char* name : {"outside", "outside/a"}) {
        EXPECT_EQ(owner(name), "0:0 755");
    }
    for (const char* name : {"outside/file", "outside/a/file"}) {
        EXPECT_EQ(owner(name), "0:0 644");
    }
}

TEST_F(ShiftOwnership, DepthIsNoMatter) {
    const auto descend = [](const UniqueFd& from) {
        return open_at(from.get(), "d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW).or_throw("a level");
    };
    UniqueFd level = open_at(AT_FDCWD, path("tree/home").c_str(), O_RDONLY | O_DIRECTORY).or_throw("the first level");
    for (int depth = 0; depth < 3000; ++depth) {
        ASSERT_EQ(mkdirat(level.get(), "d", 0755), 0);
        level = descend(level);
    }
    shift(kBase);
    struct stat status {};
    ASSERT_EQ(fstat(level.get(), &status), 0);
    EXPECT_EQ(status.st_uid, kBase);
}

TEST_F(ShiftOwnership, NeitherDepthNorBreadthTakesDescriptors) {
    constexpr int kDepth = 2000;
    UniqueFd level = open_at(AT_FDCWD, path("tree/home").c_str(), O_RDONLY | O_DIRECTORY).or_throw("the first level");
    const auto all = [&](const auto& visit) {
        UniqueFd at = open_at(level.get(), ".", O_RDONLY | O_DIRECTORY).or_throw("the first level");
        for (int depth = 0; depth < kDepth; ++depth) {
            for (const char* name : {"a", "d", "z"}) {
                visit(at.get(), name);
            }
            at = open_at(at.get(), "d", O_RDONLY | O_DIRECTORY).or_throw("a level");
        }
    };
    all([](int at, const char* name) { ASSERT_EQ(mkdirat(at, name, 0755), 0); });
    {
        const FewDescriptors few(64);
        shift(kBase);
    }
    all([](int at, const char* name) {
        struct stat status {};
        ASSERT_EQ(fstatat(at, name, &status, 0), 0);
        ASSERT_EQ(status.st_uid, kBase);
    });
}

TEST_F(ShiftOwnership, WhatCannotBeChangedIsNamed) {
    run("chattr +i etc/hostname");
    try {
        shift(kBase);
        ADD_FAILURE() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.message(),
                  "cannot change the owner of " + path("tree/etc/hostname") + ": fchownat: Operation not permitted");
    }
    EXPECT_EQ(owner("tree"), "fffe0000:0 755");
    run("chattr -i etc/hostname");
    shift(kBase);
    EXPECT_EQ(owner("tree/etc/hostname"), "12340000:12340000 644");
}

TEST_F(ShiftOwnership, AReadOnlyFileSystemIsAnError) {
    std::filesystem::create_directory(path("mnt"));
    run("mount --bind . ../mnt && mount -o remount,bind,ro ../mnt");
    try {
        shift_at("mnt", kBase);
        ADD_FAILURE() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.message(), "cannot change the owner of " + path("mnt") + ": fchownat: Read-only file system");
    }
}

TEST_F(ShiftOwnership, AReadOnlySubvolumeIsLeftOut) {
    write(path("image"), "");
    std::filesystem::create_directory(path("mnt"));
    ASSERT_EQ(truncate(path("image").c_str(), 256 << 20), 0);
    if (system(("mkfs.btrfs -q " + path("image") + " >/dev/null 2>&1 && mount -o loop " + path("image") + " " +
                path("mnt"))
                   .c_str()) != 0) {
        GTEST_SKIP() << "no btrfs here";
    }
    run("mkdir ../mnt/home && btrfs -q subvolume create ../mnt/home/nested && touch ../mnt/home/nested/file && "
        "btrfs -q subvolume snapshot -r ../mnt/home/nested ../mnt/home/kept");
    shift_at("mnt", kBase);
    EXPECT_EQ(owner("mnt"), "12340000:12340000 755");
    EXPECT_EQ(owner("mnt/home/nested/file"), "12340000:12340000 644");
    EXPECT_EQ(owner("mnt/home/kept/file"), "0:0 644");
    ASSERT_EQ(umount(path("mnt").c_str()), 0);
}

TEST_F(ShiftOwnership, ABaseIsTheStartOfARange) {
    EXPECT_THROW(shift(1), Error);
    EXPECT_THROW(shift(65535), Error);
    EXPECT_THROW(shift(0xfffe0000), Error);
    EXPECT_EQ(owner("tree"), "0:0 755");
}

} // namespace

} // namespace nspawn
