#include "linux/ip_address.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

TEST(IpAddress, WhatIsReadIsWrittenTheSame) {
    for (const char* text : {"10.0.0.1", "255.255.255.255", "::", "fd00::1", "2001:db8::1:2"}) {
        ASSERT_TRUE(parse_ip_address(text)) << text;
        EXPECT_EQ(format_ip_address(*parse_ip_address(text)), text);
    }
    for (const char* text : {"10.0.0.0/8", "fd00::/64", "0.0.0.0/0"}) {
        ASSERT_TRUE(parse_ip_prefix(text)) << text;
        EXPECT_EQ(format_ip_prefix(*parse_ip_prefix(text)), text);
    }
    EXPECT_EQ(parse_ip_prefix("10.0.0.1")->length, 32U);
}

TEST(IpAddress, Malformed) {
    for (const char* text :
         {"", "10", "10.0.0", "10.0.0.256", "10.0.0.1 ", "fd00::1%eth0", "::g", "1:2:3:4:5:6:7:8:9"}) {
        EXPECT_FALSE(parse_ip_address(text)) << text;
    }
    for (const char* text : {"10.0.0.1/33", "fd00::/129", "10.0.0.1/", "10.0.0.1/-1", "10.0.0.1/8/8", "/8"}) {
        EXPECT_FALSE(parse_ip_prefix(text)) << text;
    }
}

TEST(IpAddress, Networks) {
    const auto network = [](const char* text) { return format_ip_prefix(network_of(*parse_ip_prefix(text))); };
    EXPECT_EQ(network("10.1.2.3/8"), "10.0.0.0/8");
    EXPECT_EQ(network("10.1.2.3/31"), "10.1.2.2/31");
    EXPECT_EQ(network("10.1.2.3/0"), "0.0.0.0/0");
    EXPECT_EQ(network("fd00::ffff/113"), "fd00::8000/113");
    EXPECT_TRUE(contains(*parse_ip_prefix("10.1.0.0/16"), *parse_ip_address("10.1.255.1")));
    EXPECT_FALSE(contains(*parse_ip_prefix("10.1.0.0/16"), *parse_ip_address("10.2.0.1")));
    EXPECT_FALSE(contains(*parse_ip_prefix("0.0.0.0/0"), *parse_ip_address("::")));
}

TEST(IpAddress, WhatNoInterfaceCanHave) {
    const auto problem = [](const char* text) { return problem_of_interface_address(*parse_ip_prefix(text)); };
    for (const char* text : {"10.0.0.1/24", "10.0.0.0/31", "10.0.0.255/32", "169.254.0.1/16", "fd00::/64", "fe80::1/64",
                             "223.255.255.254/24", "2001:db8::1/128"}) {
        EXPECT_EQ(problem(text), "") << text;
    }
    EXPECT_EQ(problem("10.0.0.0/24"), "is the network itself, and no address in it");
    EXPECT_EQ(problem("10.0.0.255/24"), "is the broadcast address of its network");
    EXPECT_EQ(problem("10.0.1.255/22"), "");
    EXPECT_EQ(problem("224.0.0.1/32"), "is a multicast address");
    EXPECT_EQ(problem("ff02::1/64"), "is a multicast address");
    EXPECT_EQ(problem("255.255.255.255/32"), "is a reserved address");
    EXPECT_EQ(problem("127.0.0.1/8"), "is a loopback address");
    EXPECT_EQ(problem("::1/128"), "is a loopback address");
    EXPECT_EQ(problem("0.0.0.1/8"), "is no address of a host");
    EXPECT_EQ(problem("::/64"), "is no address of a host");
}

TEST(MacAddress, Grammar) {
    EXPECT_EQ(format_mac_address(*parse_mac_address("02:00:5E:00:53:ff")), "02:00:5e:00:53:ff");
    EXPECT_EQ(parse_mac_address("02-00-5e-00-53-ff"), parse_mac_address("02:00:5e:00:53:ff"));
    for (const char* text : {"", "02:00:5e:00:53", "02:00:5e:00:53:0", "02:00:5e:00:53:ff:01", "02-00:5e:00:53:ff",
                             "02:00:5e:00:53:gg", "0200.5e00.53ff", "+2:00:5e:00:53:ff"}) {
        EXPECT_FALSE(parse_mac_address(text)) << text;
    }
}

} // namespace
} // namespace nspawn
