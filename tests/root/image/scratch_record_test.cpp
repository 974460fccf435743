// Records of dead runs: what they may remove, and what they must not.
#include "image/path_claim.hpp"
#include "image/scratch_mount.hpp"
#include "image/scratch_record.hpp"
#include "root_fixture.hpp"

#include <sys/file.h>
#include <sys/mount.h>

namespace nspawn {

namespace {

class Record : public RootFixture {
protected:
    // As a killed run would have left it.
    void leave(std::string_view content) {
        std::filesystem::create_directories("/run/nspawn/runs");
        record_ = "/run/nspawn/runs/00000000000000ff";
        write(record_, content);
    }
    [[nodiscard]] bool is_left() const { return std::filesystem::exists(record_); }
    void TearDown() override {
        std::filesystem::remove_all("/run/nspawn/image-test");
        if (!record_.empty()) {
            std::filesystem::remove(record_);
        }
        RootFixture::TearDown();
    }

private:
    std::string record_;
};

TEST_F(Record, IsThereFromTheFirstEntryToTheEnd) {
    const auto before = names_in("/run/nspawn/runs");
    {
        ScratchRecord record;
        EXPECT_EQ(names_in("/run/nspawn/runs"), before);
        record.add(ScratchKind::directory, "/run/nspawn/image-test");
        EXPECT_EQ(names_in("/run/nspawn/runs").size(), before.size() + 1);
        reclaim_dead_runs(); // not dead
        EXPECT_EQ(names_in("/run/nspawn/runs").size(), before.size() + 1);
    }
    EXPECT_EQ(names_in("/run/nspawn/runs"), before);
}

TEST_F(Record, EmptyDirectoriesAndFilesOfADeadRunAreRemoved) {
    std::filesystem::create_directories("/run/nspawn/image-test/a b\n");
    write("/run/nspawn/image-test/file", "1");
    leave("directory /run/nspawn/image-test\ndirectory /run/nspawn/image-test/a b\\x0a\nfile "
          "/run/nspawn/image-test/file\n"
          "file /run/nspawn/image-test/never-made\n");
    reclaim_dead_runs();
    EXPECT_FALSE(std::filesystem::exists("/run/nspawn/image-test"));
    EXPECT_FALSE(is_left());
}

TEST_F(Record, ADirectoryThatALivingRunUsesTooStays) {
    std::filesystem::create_directories("/run/nspawn/image-test");
    leave("directory /run/nspawn/image-test\n");
    {
        const PathClaim claim = PathClaim::share("/run/nspawn/image-test").or_throw("");
        reclaim_dead_runs();
        EXPECT_TRUE(std::filesystem::exists("/run/nspawn/image-test"));
    }
    EXPECT_FALSE(is_left()); // the living run has it in its own record
}

TEST(PathClaims, OfTwoWhoAskAtTheSameTimeOneIsAlone) {
    PathClaim first = PathClaim::share("/run/nspawn/image-test").or_throw("");
    PathClaim second = PathClaim::share("/run/nspawn/image-test").or_throw("");
    EXPECT_EQ(PathClaim::alone("/run/nspawn/image-test").error(), EAGAIN);
    EXPECT_TRUE(PathClaim::alone("/run/nspawn/image-test2").ok());
    EXPECT_EQ(first.become_alone().error(), EAGAIN);
    EXPECT_TRUE(second.become_alone().ok());
    EXPECT_EQ(first.become_alone().error(), EAGAIN);
}

const std::vector<MountOption> kSmall = {{"size", "1m"}};

TEST_F(Record, AMountOfADeadRunIsRemovedAndALivingOnesIsNot) {
    const std::string place = "/run/nspawn/image-test/mount";
    std::filesystem::create_directories(place);
    {
        auto alive = ScratchMount::create(place, kSmall, MOUNT_ATTR_RDONLY);
        ASSERT_TRUE(alive.ok());
        EXPECT_EQ(ScratchMount::create(place, kSmall, 0).error(), EEXIST);
        leave("mount " + place + "\n");
        reclaim_dead_runs();
        EXPECT_TRUE(is_left());
        EXPECT_EQ(rmdir(place.c_str()), -1);
        EXPECT_EQ(errno, EBUSY);
    }
    EXPECT_FALSE(std::filesystem::exists(place));
    std::filesystem::create_directories(place);
    ASSERT_EQ(mount("tmpfs", place.c_str(), "tmpfs", 0, "size=1m"), 0); // nobody holds its lock
    reclaim_dead_runs();
    EXPECT_FALSE(is_left());
    EXPECT_FALSE(std::filesystem::exists(place));
}

TEST_F(Record, MountsOfAnotherKindOrPlaceStay) {
    const std::string place = "/run/nspawn/image-test/mount";
    std::filesystem::create_directories(place);
    ASSERT_EQ(mount("ramfs", place.c_str(), "ramfs", 0, nullptr), 0);
    std::filesystem::create_directories(path("mount"));
    ASSERT_EQ(mount("tmpfs", path("mount").c_str(), "tmpfs", 0, "size=1m"), 0);
    leave("mount " + place + "\nmount " + path("mount") + "\n");
    reclaim_dead_runs();
    EXPECT_FALSE(is_left());
    EXPECT_EQ(umount(place.c_str()), 0);
    EXPECT_EQ(umount(path("mount").c_str()), 0);
}

TEST_F(Record, WhatCannotBeRemovedStaysRecorded) {
    std::filesystem::create_directories("/run/nspawn/image-test/full");
    leave("directory /run/nspawn/image-test\n");
    reclaim_dead_runs();
    EXPECT_TRUE(is_left());
    EXPECT_TRUE(std::filesystem::exists("/run/nspawn/image-test/full"));
}

TEST_F(Record, NamesOfTheWrongShapeRemoveNothing) {
    std::filesystem::create_directories(path("precious/upper"));
    std::filesystem::create_directories(path("empty"));
    write(path("file"), "1");
    const std::string base = path("").substr(0, path("").size() - 1);
    leave("tree " + base + "/precious\ntree /\ntree relative\ntree \ndirectory " + base + "/empty\nfile " + base +
          "/file\ndirectory /run/nspawn/../.." + base + "/empty\ncgroup " + base + "/empty\nfile /run/nspawn/runs/x\n" +
          "subvolume /\nnonsense\n\n\\x\ntree " + base + "/pre\\xzz\n" + "directory " + base + "/empty");
    reclaim_dead_runs();
    EXPECT_TRUE(std::filesystem::exists(path("precious/upper")));
    EXPECT_TRUE(std::filesystem::exists(path("empty")));
    EXPECT_TRUE(std::filesystem::exists(path("file")));
    EXPECT_FALSE(is_left()); // it will never mean anything
}

TEST_F(Record, ADirectoryCalledLikeOursIsNotOursForThat) {
    const std::string name = path(".#nspawn.x.0123456789abcdef");
    std::filesystem::create_directories(name + "/precious");
    ASSERT_EQ(chmod(name.c_str(), 0700), 0);
    leave("tree " + name + "\n");
    reclaim_dead_runs();
    EXPECT_FALSE(is_left());
    EXPECT_TRUE(std::filesystem::exists(name + "/precious"));
    std::filesystem::remove_all(name);
    std::filesystem::create_directories(name + "/upper"); // of others' reading
    ASSERT_EQ(chmod(name.c_str(), 0755), 0);
    leave("tree " + name + "\n");
    reclaim_dead_runs();
    EXPECT_FALSE(is_left());
    EXPECT_TRUE(std::filesystem::exists(name + "/upper"));
    std::filesystem::remove_all(name);
    std::filesystem::create_symlink(path("tree"), name);
    leave("tree " + name + "\n");
    reclaim_dead_runs();
    EXPECT_FALSE(is_left());
    EXPECT_TRUE(std::filesystem::exists(path("tree/usr")));
    std::filesystem::remove(name);
}

TEST_F(Record, IsOnlyTrustedWhereNobodyElseCanWrite) {
    std::filesystem::create_directories("/run/nspawn/image-test");
    leave("directory /run/nspawn/image-test\n");
    ASSERT_EQ(chmod("/run/nspawn/runs", 0777), 0);
    reclaim_dead_runs();
    EXPECT_TRUE(std::filesystem::exists("/run/nspawn/image-test"));
    ASSERT_EQ(chmod("/run/nspawn/runs", 0700), 0);
    reclaim_dead_runs();
    EXPECT_FALSE(std::filesystem::exists("/run/nspawn/image-test"));
}

} // namespace

} // namespace nspawn
