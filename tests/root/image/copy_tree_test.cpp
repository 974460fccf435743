// Trees made from a template, on real file systems: that nothing is lost, nothing is added and nothing is left behind.
#include "base/error.hpp"
#include "image/copy_tree.hpp"
#include "image/scratch_record.hpp"
#include "image/template.hpp"
#include "renames_meanwhile.hpp"
#include "root_fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <cstdio>

#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {

namespace {

using testing::HasSubstr;

class Template : public RootFixture {
protected:
    void make(std::string_view target) const { made_ = description_of(target); }
    [[nodiscard]] std::string description_of(std::string_view target) const {
        RootSelection selection = select_root(path(target), "", "", false, path("tree"));
        if (!selection.missing) {
            return "";
        }
        return make_from_template(selection.directory.get(), selection.template_path, *selection.missing).description;
    }
    [[nodiscard]] std::string output_of(const std::string& directory, const std::string& command) const {
        FILE* pipe = popen(("cd " + path(directory) + " && (" + command + ") 2>&1").c_str(), "r");
        std::string text;
        for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) {
            text += static_cast<char>(c);
        }
        pclose(pipe);
        return text;
    }
    void run(const std::string& command) const {
        ASSERT_EQ(system(("cd " + path("tree") + " && (" + command + ") >/dev/null").c_str()), 0) << command;
    }
    // Everything that can be told of a tree but the numbers of its inodes.
    [[nodiscard]] std::string listing(const std::string& directory) const {
        return output_of(directory,
                         "find . -printf '%p %y %m %U:%G %n %T@ %l\\n' | sort; getfacl -nR . | sort; "
                         "getfattr -dhR -m - -e hex . | sort; find . -type f -print0 | sort -z | xargs -0 md5sum; "
                         "find . -type f -printf '%p %s\\n' | sort; find . -type c -exec stat -c '%n %t:%T' {} +");
    }
    // A tree with one of everything.
    void fill() const {
        run("ln etc/hostname home/user/second && ln etc/hostname home/third && chmod 6755 etc/hostname && "
            "chown 5:6 etc && mkfifo -m 600 fifo && mknod -m 640 null c 1 3 && chown 7:8 null && ln -s /nowhere link "
            "&& "
            "chown -h 9:10 link && ln link link2 && touch -h -d 2001-02-03 link");
        run("truncate -s 3M sparse && printf data | dd of=sparse bs=1 seek=1M conv=notrunc status=none && "
            "head -c 5M /dev/urandom > large && head -c 100000 /dev/urandom > medium && : > empty && "
            "touch ping && setcap cap_net_raw=ep ping && chmod 1777 tmp && chmod 0 proc");
        run("setfacl -m u:1000:rw medium && setfacl -m d:g:33:rx home && setfattr -n user.a -v b medium && "
            "setfattr -n trusted.a -v b tmp && setfattr -hn trusted.link -v x link && touch \"$(printf 'a\\nb')\" && "
            "touch -d 1999-01-01 large home/user tmp etc usr .");
        run("python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('socket')\"");
    }
    mutable std::string made_;
};

TEST_F(Template, IsCopiedInEveryRespect) {
    fill();
    const std::string before = listing("tree");
    make("copy");
    EXPECT_EQ(listing("copy"), before);
    EXPECT_THAT(made_, HasSubstr("copy"));
    EXPECT_EQ(output_of("copy", "stat -c %i etc/hostname home/user/second home/third | sort -u | wc -l"), "1\n");
    EXPECT_EQ(output_of("copy", "test $(stat -c %b sparse) -lt 100 && echo sparse"), "sparse\n");
    EXPECT_EQ(names_in(path("")), (std::set<std::string>{"tree", "copy"}));
}

TEST_F(Template, WhatThePlaceHandsDownDoesNotReachTheCopy) {
    fill();
    const std::string before = listing("tree");
    std::filesystem::create_directory(path("place"));
    ASSERT_EQ(chown(path("place").c_str(), 0, 1234), 0);
    ASSERT_EQ(chmod(path("place").c_str(), 02775), 0);
    run("setfacl -m d:u:77:rwx,u:77:rwx ../place");
    const mode_t previous = umask(077);
    make("place/copy");
    EXPECT_EQ(umask(previous), 077U);
    EXPECT_EQ(listing("place/copy"), before);
}

TEST_F(Template, MountsInItAreLeftOut) {
    write(path("tree/home/below"), "");
    run("mount -t tmpfs x home && touch home/above && mount --bind etc usr/bin && touch file && "
        "mount --bind etc/hostname file");
    make("copy");
    EXPECT_EQ(names_in(path("copy/home")), (std::set<std::string>{"below", "user"}));
    EXPECT_EQ(names_in(path("copy/usr/bin")), std::set<std::string>{});
    EXPECT_EQ(read(path("copy/file")), "");
    run("umount home usr/bin file");
}

TEST_F(Template, FlagsAreNotCopied) {
    run("chattr +i etc/hostname");
    make("copy");
    write(path("copy/etc/hostname"), "changed\n");
    EXPECT_EQ(read(path("copy/etc/hostname")), "changed\n");
    run("chattr -i etc/hostname");
}

TEST_F(Template, IsNotUsedWhereSomethingIs) {
    std::filesystem::create_directory(path("there"));
    EXPECT_EQ(description_of("there"), "");
    EXPECT_EQ(names_in(path("there")), std::set<std::string>{});
    EXPECT_EQ(description_of("tree"), "");
}

TEST_F(Template, SomebodyFasterWins) {
    const RootSelection selection = select_root(path("copy"), "", "", false, path("tree"));
    make_tree(path("copy"));
    write(path("copy/theirs"), "");
    const TreeFromTemplate made =
        make_from_template(selection.directory.get(), selection.template_path, *selection.missing);
    EXPECT_EQ(made.description, "");
    EXPECT_TRUE(std::filesystem::exists(path("copy/theirs")));
}

TEST_F(Template, CannotHoldItsCopy) {
    run("ln -s . etc/self");
    for (const char* place : {"tree/copy", "tree/home/user/copy", "tree/etc/self/copy"}) {
        EXPECT_THROW((void)description_of(place), Error) << place;
    }
    EXPECT_EQ(names_in(path("tree/home/user")), std::set<std::string>{});
}

// Through a bind mount it cannot be told from where the place is; the copy leaves itself out.
TEST_F(Template, ABindMountHidesNoCycle) {
    std::filesystem::create_directory(path("mnt"));
    run("mount --bind home ../mnt");
    make("mnt/copy");
    EXPECT_EQ(names_in(path("tree/home")), (std::set<std::string>{"user", "copy"}));
    EXPECT_EQ(names_in(path("mnt/copy/home")), (std::set<std::string>{"user"}));
}

TEST_F(Template, PlacesThatCannotBeAreRefused) {
    run("ln -s nowhere ../dangling && touch ../file");
    EXPECT_THROW((void)description_of("no/such"), Error);
    EXPECT_THROW((void)description_of("dangling"), Error);
    EXPECT_THROW((void)description_of("file/copy"), Error);
    EXPECT_THROW((void)description_of(std::string(300, 'x')), Error);
    EXPECT_THROW(select_root(path("copy"), "", "", false, path("missing")), Error);
    EXPECT_THROW(select_root(path("copy"), "", "", false, path("file")), Error);
    EXPECT_EQ(names_in(path("")), (std::set<std::string>{"tree", "dangling", "file"}));
}

TEST_F(Template, AFullDiskLeavesNothing) {
    run("head -c 3M /dev/urandom > large; for i in $(seq 50); do head -c 100000 /dev/urandom > etc/f$i; done");
    std::filesystem::create_directory(path("mnt"));
    run("mount -t tmpfs -o size=5M x ../mnt");
    try {
        make("mnt/copy");
        ADD_FAILURE() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ENOSPC);
        EXPECT_THAT(error.message(), HasSubstr("No space left on device"));
        EXPECT_THAT(error.message(), HasSubstr("cannot copy " + path("tree/")));
    }
    EXPECT_EQ(names_in(path("mnt")), std::set<std::string>{});
}

TEST_F(Template, AnInterruptedCopyLeavesNothing) {
    run("for i in $(seq 400); do echo $i > etc/f$i; done; for i in $(seq 100); do mkdir home/d$i; done");
    for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
        for (int delay = 0; delay < 5; ++delay) {
            const pid_t child = fork();
            if (child == 0) {
                make("copy");
                _exit(0);
            }
            usleep(static_cast<useconds_t>(delay * 5000));
            ::kill(child, signal);
            int status = 0;
            ASSERT_EQ(waitpid(child, &status, 0), child);
            reclaim_dead_runs();
            const bool complete = std::filesystem::exists(path("copy"));
            if (complete) {
                EXPECT_EQ(names_in(path("copy/etc")).size(), 401U) << signal << " after " << delay;
                std::filesystem::remove_all(path("copy"));
            } else {
                EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) != 0) << status;
            }
            EXPECT_EQ(names_in(path("")), std::set<std::string>{"tree"}) << signal << " after " << delay;
        }
    }
}

// A payload renames while its tree is copied: nothing from outside may come in.
TEST_F(Template, RenamesMeanwhileBringNothingIn) {
    std::filesystem::create_directories(path("outside/a"));
    write(path("outside/secret"), "secret\n");
    write(path("outside/a/secret"), "secret\n");
    for (int number = 0; number < 100; ++number) {
        write(path("tree/etc/f" + std::to_string(number)), "");
        std::filesystem::create_directories(path("tree/home/d" + std::to_string(number) + "/a"));
    }
    run("ln -s ../../outside home/link && ln -s ../../outside/secret etc/link");
    const RenamesMeanwhile renames(path("tree"), 100);
    for (int round = 0; round < 20; ++round) {
        EXPECT_NO_THROW(make("copy"));
        EXPECT_EQ(output_of("copy", "grep -rl --devices=skip secret . | head -1"), "");
        std::filesystem::remove_all(path("copy"));
    }
}

TEST_F(Template, DepthIsNoMatter) {
    UniqueFd level = open_at(AT_FDCWD, path("tree/home").c_str(), O_RDONLY | O_DIRECTORY).or_throw("the first level");
    const auto descend = [](const UniqueFd& from) {
        return open_at(from.get(), "a-longer-name", O_RDONLY | O_DIRECTORY | O_NOFOLLOW).or_throw("a level");
    };
    for (int depth = 0; depth < 1000; ++depth) {
        ASSERT_EQ(mkdirat(level.get(), "a-longer-name", 0755), 0);
        level = descend(level);
    }
    ASSERT_TRUE(open_at(level.get(), "first", O_WRONLY | O_CREAT, 0644).ok());
    ASSERT_EQ(linkat(level.get(), "first", level.get(), "second", 0), 0);
    make("copy");
    level = open_at(AT_FDCWD, path("copy/home").c_str(), O_RDONLY | O_DIRECTORY).or_throw("the first level");
    for (int depth = 0; depth < 1000; ++depth) {
        level = descend(level);
    }
    struct stat status {};
    ASSERT_EQ(fstatat(level.get(), "second", &status, 0), 0);
    EXPECT_EQ(status.st_nlink, 2U); // its path is longer than the kernel takes at once
}

// Something waits on every level while the way leads down: far more than a process may have open.
TEST_F(Template, NeitherDepthNorBreadthTakesDescriptors) {
    constexpr int kDepth = 2000;
    UniqueFd level = open_at(AT_FDCWD, path("tree/home").c_str(), O_RDONLY | O_DIRECTORY).or_throw("the first level");
    for (int depth = 0; depth < kDepth; ++depth) {
        for (const char* name : {"a", "d", "z"}) {
            ASSERT_EQ(mkdirat(level.get(), name, 0755), 0);
        }
        ASSERT_TRUE(open_at(level.get(), "a/file", O_WRONLY | O_CREAT, 0644).ok());
        level = open_at(level.get(), "d", O_RDONLY | O_DIRECTORY).or_throw("a level");
    }
    for (int number = 0; number < kDepth; ++number) {
        ASSERT_EQ(mkdirat(level.get(), std::to_string(number).c_str(), 0700), 0);
    }
    {
        const FewDescriptors few(64);
        make("copy");
    }
    level = open_at(AT_FDCWD, path("copy/home").c_str(), O_RDONLY | O_DIRECTORY).or_throw("the first level");
    struct stat status {};
    for (int depth = 0; depth < kDepth; ++depth) {
        ASSERT_EQ(fstatat(level.get(), "a/file", &status, 0), 0) << depth;
        ASSERT_EQ(fstatat(level.get(), "z", &status, 0), 0) << depth;
        ASSERT_EQ(status.st_mode & 07777, 0755U);
        level = open_at(level.get(), "d", O_RDONLY | O_DIRECTORY).or_throw("a level");
    }
    ASSERT_EQ(fstatat(level.get(), std::to_string(kDepth - 1).c_str(), &status, 0), 0);
}

// ------------------------------------------------------------------------------ file systems with more to offer
class TemplateOnLoop : public Template {
protected:
    // False: this machine cannot.
    bool mount_image(const std::string& make_file_system) const {
        write(path("image"), "");
        std::filesystem::create_directory(path("mnt"));
        return truncate(path("image").c_str(), 400 << 20) == 0 &&
               system((make_file_system + " " + path("image") + " >/dev/null 2>&1 && mount -o loop " + path("image") +
                       " " + path("mnt"))
                          .c_str()) == 0;
    }
    void TearDown() override {
        umount(path("mnt").c_str());
        Template::TearDown();
    }
};

TEST_F(TemplateOnLoop, ASubvolumeIsSnapshotWithAllNestedInIt) {
    if (!mount_image("mkfs.btrfs -q")) {
        GTEST_SKIP() << "no btrfs here";
    }
    run("rm -r ../tree && btrfs -q subvolume create ../mnt/tree && ln -s mnt/tree ../tree");
    make_tree(path("mnt/tree"));
    run("btrfs -q subvolume create home/nested && echo nested > home/nested/file");
    RootSelection selection = select_root(path("mnt/copy"), "", "", false, path("mnt/tree"));
    ASSERT_TRUE(selection.missing);
    EXPECT_EQ(make_from_template(selection.directory.get(), selection.template_path, *selection.missing).description,
              "btrfs snapshot");
    EXPECT_EQ(read(path("mnt/copy/home/nested/file")), "nested\n");
    write(path("mnt/copy/home/nested/file"), "changed\n");
    EXPECT_EQ(read(path("mnt/tree/home/nested/file")), "nested\n");
    EXPECT_EQ(names_in(path("mnt")), (std::set<std::string>{"tree", "copy"}));
}

TEST_F(TemplateOnLoop, BlocksAreSharedWhereTheyCanBe) {
    if (!mount_image("mkfs.xfs -q -m reflink=1")) {
        GTEST_SKIP() << "no xfs here";
    }
    fill();
    run("cp -a . ../mnt/tree && sync -f ../mnt/tree");
    const std::string before = listing("mnt/tree");
    RootSelection selection = select_root(path("mnt/copy"), "", "", false, path("mnt/tree"));
    ASSERT_TRUE(selection.missing);
    EXPECT_EQ(make_from_template(selection.directory.get(), selection.template_path, *selection.missing).description,
              "copy that shares its blocks");
    EXPECT_EQ(listing("mnt/copy"), before);
}

} // namespace

} // namespace nspawn
