#include "base/file.hpp"
#include "lease/lease_table.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {
namespace {

class LeaseTableTest : public testing::Test {
protected:
    LeaseTableTest() {
        std::string pattern = testing::TempDir() + "/leases-XXXXXX";
        top_ = mkdtemp(pattern.data());
        directory_ = top_ + "/network";
    }
    ~LeaseTableTest() override { (void)std::system(("rm -rf '" + top_ + "'").c_str()); }

    LeaseTable lock(LeaseTable::Wait wait = LeaseTable::Wait::yes) {
        return LeaseTable::lock(wait, directory_).or_throw("lock");
    }
    static LeaseRecord lease(const char* machine) {
        return {.machine = machine,
                .link = "vz-lab",
                .gateways = {},
                .addresses = {parse_ip_prefix("10.0.0.7/24").value()}};
    }
    [[nodiscard]] bool exists(const std::string& path) const { return access((directory_ + path).c_str(), F_OK) == 0; }

    std::string top_;
    std::string directory_;
};

TEST_F(LeaseTableTest, ALeaseLivesAsLongAsItsDescriptor) {
    LeaseTable table = lock();
    UniqueFd held = table.add(lease("web"), "nameserver 10.0.0.1\n").or_throw("");
    ASSERT_EQ(table.leases().size(), 1U);
    EXPECT_EQ(table.leases()[0].machine, "web");
    table.sweep();
    EXPECT_EQ(table.leases().size(), 1U);
    EXPECT_EQ(read_file(AT_FDCWD, leased_resolv_conf("web", directory_).c_str(), 100).or_throw(""),
              "nameserver 10.0.0.1\n");
    held.reset();
    EXPECT_TRUE(table.leases().empty());
    EXPECT_TRUE(exists("/machines/web"));
    table.sweep();
    EXPECT_FALSE(exists("/machines/web"));
    EXPECT_FALSE(exists("/resolv.conf/web"));
}

TEST_F(LeaseTableTest, OneNameIsOneMachine) {
    LeaseTable table = lock();
    const UniqueFd held = table.add(lease("web"), "").or_throw("");
    EXPECT_EQ(table.add(lease("web"), "").error(), EEXIST);
    table.remove("web");
    EXPECT_TRUE(table.add(lease("web"), "").ok());
}

TEST_F(LeaseTableTest, ReadersLocksMeanNothing) {
    LeaseTable table = lock();
    UniqueFd held = table.add(lease("web"), "").or_throw("");
    const UniqueFd reader = open_at(AT_FDCWD, (directory_ + "/machines/web").c_str(), O_RDONLY).or_throw("");
    struct flock shared {};
    shared.l_type = F_RDLCK;
    ASSERT_EQ(flock(reader.get(), LOCK_EX | LOCK_NB), 0);
    held.reset();
    ASSERT_EQ(fcntl(reader.get(), F_OFD_SETLK, &shared), 0);
    EXPECT_TRUE(table.leases().empty());
    EXPECT_TRUE(table.add(lease("web"), "").ok());
}

TEST_F(LeaseTableTest, TwoAtOnceTakeTurns) {
    {
        const LeaseTable table = lock();
        EXPECT_EQ(LeaseTable::lock(LeaseTable::Wait::no, directory_).error(), EWOULDBLOCK);
    }
    EXPECT_TRUE(LeaseTable::lock(LeaseTable::Wait::no, directory_).ok());
}

TEST_F(LeaseTableTest, WhatIsNoLeaseIsNotBelieved) {
    LeaseTable table = lock();
    const UniqueFd held = table.add(lease("web"), "").or_throw("");
    // Another name for a living lease, a link to it, a FIFO.
    ASSERT_EQ(link((directory_ + "/machines/web").c_str(), (directory_ + "/machines/other").c_str()), 0);
    ASSERT_EQ(symlink("web", (directory_ + "/machines/link").c_str()), 0);
    ASSERT_EQ(mkfifo((directory_ + "/machines/fifo").c_str(), 0600), 0);
    EXPECT_EQ(table.leases().size(), 1U);
}

TEST_F(LeaseTableTest, EverybodyMayRead) {
    const mode_t before = umask(0077);
    LeaseTable table = lock();
    const UniqueFd held = table.add(lease("web"), "").or_throw("");
    umask(before);
    struct stat status {};
    ASSERT_EQ(stat((directory_ + "/machines/web").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

TEST_F(LeaseTableTest, ALinkOfOneHostIsNotThatOfAnother) {
    LeaseTable table = lock();
    LeaseRecord here = lease("here");
    here.network_namespace = own_network_namespace();
    LeaseRecord there = lease("there"); // on a link of the same name
    there.network_namespace = here.network_namespace + 1;
    const UniqueFd held_there = table.add(there, "").or_throw("");
    UniqueFd held_here = table.add(here, "").or_throw("");
    table.add_dhcp_host(here, "line\n").or_throw("");
    const std::string lock_file = link_lock_file("vz-lab", directory_);
    ASSERT_TRUE(open_at(AT_FDCWD, lock_file.c_str(), O_RDWR | O_CREAT, 0600).ok());
    table.sweep();
    EXPECT_EQ(access(lock_file.c_str(), F_OK), 0);
    EXPECT_EQ(access((dhcp_hosts_directory("vz-lab", directory_) + "/here").c_str(), F_OK), 0);
    held_here.reset();
    table.sweep();
    EXPECT_NE(access(lock_file.c_str(), F_OK), 0);
    EXPECT_NE(access(dhcp_hosts_directory("vz-lab", directory_).c_str(), F_OK), 0);
    EXPECT_EQ(table.leases().size(), 1U);
}

} // namespace
} // namespace nspawn
