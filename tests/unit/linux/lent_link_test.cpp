#include "linux/lent_link.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

TEST(LentLink, RecordIsReadBack) {
    const LentLink link{.host_name = "eth0",
                        .name = "wan",
                        .index = 7,
                        .mac = parse_mac_address("02:00:00:00:00:01"),
                        .hardware = true};
    const auto read = LentLink::parse(link.text());
    ASSERT_TRUE(read);
    EXPECT_EQ(read->host_name, "eth0");
    EXPECT_EQ(read->name, "wan");
    EXPECT_EQ(read->index, 7);
    EXPECT_EQ(read->mac, link.mac);
    EXPECT_TRUE(read->hardware);
}

TEST(LentLink, WhatIsNoRecordIsRefused) {
    for (const char* text : {"", "eth0", "eth0:wan:0:1:", ":wan:7:1:", "eth0:wan:x:1:", "eth0:wan:99999999999:1:",
                             "anamethatistoolong:wan:7:1:", "eth0:wan:7:1::"}) {
        EXPECT_FALSE(LentLink::parse(text)) << text;
    }
}

} // namespace
} // namespace nspawn
