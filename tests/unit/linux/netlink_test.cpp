#include "linux/link.hpp"

#include <gtest/gtest.h>

#include <vector>

#include <sys/socket.h>

namespace nspawn {
namespace {

TEST(Netlink, WhatDoesNotFitIsNotSent) {
    NetlinkMessage message(RTM_NEWLINK, 0, ifinfomsg{});
    const std::vector<char> large(60000);
    message.add_bytes(IFLA_IFALIAS, large.data(), large.size());
    EXPECT_FALSE(message.fits());
    Result<NetlinkSocket> socket = NetlinkSocket::open();
    ASSERT_TRUE(socket.ok());
    EXPECT_EQ(socket.value().request(message).error(), EMSGSIZE);
}

// What every network namespace has, and what everybody may ask.
TEST(Netlink, FindsTheLoopbackInterface) {
    Result<NetlinkSocket> socket = NetlinkSocket::open();
    ASSERT_TRUE(socket.ok());
    const Result<Link> loopback = find_link(socket.value(), "lo");
    ASSERT_TRUE(loopback.ok());
    EXPECT_EQ(loopback.value().index, 1);
    EXPECT_EQ(loopback.value().kind, "");
    EXPECT_EQ(find_link(socket.value(), 1).value().name, "lo");
    const Result<std::vector<Link>> links = list_links(socket.value());
    ASSERT_TRUE(links.ok());
    EXPECT_EQ(links.value().front().name, "lo");
    EXPECT_TRUE(list_links(socket.value(), 1).value().empty()) << "it is no bridge";
    EXPECT_TRUE(list_addresses(socket.value()).ok());
    EXPECT_TRUE(list_routes(socket.value()).ok());
}

TEST(Netlink, WhatIsNotThereIsNoDevice) {
    Result<NetlinkSocket> socket = NetlinkSocket::open();
    ASSERT_TRUE(socket.ok());
    EXPECT_EQ(find_link(socket.value(), "no-such-link").error(), ENODEV);
    EXPECT_EQ(find_link(socket.value(), std::string(100, 'x')).error(), ENODEV);
    EXPECT_EQ(find_link(socket.value(), 1 << 30).error(), ENODEV);
}

TEST(Netlink, WhatIsNoNamespaceIsNotEntered) {
    EXPECT_NE(NetlinkSocket::open_in(STDERR_FILENO).error(), 0);
    EXPECT_NE(NetlinkSocket::open_in(-1).error(), 0);
    EXPECT_NE(NetlinkSocket::open(-1).error(), 0);
}

} // namespace
} // namespace nspawn
