// One port has one container; what nobody holds any more is given back.
#include "base/error.hpp"
#include "network/port_registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Ports = std::vector<PublishedPort>;

class Registry : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "/ports-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        directory = pattern + "/ports";
        parent = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(parent); }

    PortRegistry open() { return PortRegistry::open(directory); }
    [[nodiscard]] static uint64_t own_namespace() {
        struct stat status {};
        EXPECT_EQ(stat("/proc/self/ns/net", &status), 0);
        return status.st_ino;
    }
    // As a worker of another process has left it.
    void leave_record(uint64_t network_namespace, const char* name) const {
        PortRecord record{network_namespace,
                          "dead",
                          {parse_port("80")},
                          {{NatTable::shared, Family::ipv4, "tcp . 80", "10.0.0.2 . 80"}}};
        std::ofstream(directory + "/" + name) << as_text(record);
    }
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(directory)) {
            names.push_back(entry.path().filename());
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    std::string parent;
    std::string directory;
};

TEST_F(Registry, ARecordIsReadAsItWasWritten) {
    const PortRecord record{42,
                            "web",
                            {parse_port("80"), parse_port("udp:[::1]:5-6")},
                            {{NatTable::own, Family::ipv6, "fd00::1 . udp . 5", "fd00::2 . 5"}}};
    const PortRecord again = parse_port_record(as_text(record));
    EXPECT_EQ(again.network_namespace, 42);
    EXPECT_EQ(again.machine, "web");
    EXPECT_EQ(again.ports, record.ports);
    EXPECT_EQ(again.elements, record.elements);
    const PortRecord odd = parse_port_record("port 0\nelement x\nnonsense\n\nnamespace -1\nmachine a\x1b");
    EXPECT_THAT(odd.ports, IsEmpty());
    EXPECT_EQ(odd.machine, "a\\x1b");
}

TEST_F(Registry, ReleasedIsForgotten) {
    PortRegistry registry = open();
    registry.claim("web", Ports{parse_port("80")});
    EXPECT_THAT(files(), SizeIs(1));
    registry.set_elements({{NatTable::shared, Family::ipv4, "tcp . 80", "10.0.0.2 . 80"}});
    EXPECT_TRUE(registry.release());
    EXPECT_THAT(files(), IsEmpty());
}

TEST_F(Registry, WhatADeadOneLeftIsGivenBackOnce) {
    PortRegistry registry = open();
    leave_record(own_namespace(), "worker-dead");
    leave_record(own_namespace() + 1, "worker-elsewhere");
    std::vector<std::string> lines;
    const auto take_back = [&](std::span<const NatElement> elements) {
        for (const NatElement& element : elements) {
            lines.push_back(as_line(element));
        }
    };
    registry.reclaim(take_back);
    registry.reclaim(take_back);
    EXPECT_THAT(lines, testing::ElementsAre("ip io.systemd.nat tcp . 80 : 10.0.0.2 . 80"));
    EXPECT_THAT(files(), testing::ElementsAre("worker-elsewhere")) << "another network's is not ours to judge";
}

TEST_F(Registry, ATakenPortIsRefusedByName) {
    PortRegistry registry = open();
    leave_record(own_namespace(), "worker-other");
    try {
        registry.claim("web", Ports{parse_port("79-81")});
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.message(), HasSubstr("published already by container dead (tcp:80:80)"));
    }
    registry.claim("web", Ports{parse_port("udp:80")});
    EXPECT_FALSE(registry.release()) << "the other one is there";
}

TEST_F(Registry, TablesAreRememberedForAll) {
    PortRegistry one = open();
    PortRegistry other = open();
    EXPECT_FALSE(one.is_ours(NatTable::shared, Family::ipv4));
    one.remember_table(NatTable::shared, Family::ipv4);
    EXPECT_TRUE(other.is_ours(NatTable::shared, Family::ipv4));
    EXPECT_FALSE(other.is_ours(NatTable::shared, Family::ipv6));
    other.forget_table(NatTable::shared, Family::ipv4);
    EXPECT_FALSE(one.is_ours(NatTable::shared, Family::ipv4));
}

} // namespace
} // namespace nspawn
