#include "linux/netlink_message.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

namespace nspawn {
namespace {

// Bytes that end where they end: a sanitizer sees whoever reads on.
std::vector<uint8_t> exactly(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

std::vector<uint8_t> attribute(uint16_t claimed, uint16_t type, std::string_view payload) {
    const nlattr header{claimed, type};
    std::vector<uint8_t> bytes(sizeof header + payload.size());
    std::memcpy(bytes.data(), &header, sizeof header);
    std::copy(payload.begin(), payload.end(), bytes.begin() + sizeof header);
    return bytes;
}

TEST(NetlinkMessage, AttributesAreReadBack) {
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE, ifinfomsg{});
    message.add_text(IFLA_IFNAME, "eth0");
    message.add_number(IFLA_MTU, uint32_t{1400});
    {
        const NetlinkMessage::Nest info(message, IFLA_LINKINFO);
        message.add_text(IFLA_INFO_KIND, "veth");
    }
    EXPECT_TRUE(message.fits());
    EXPECT_EQ(message.header().nlmsg_type, RTM_NEWLINK);
    EXPECT_EQ(message.header().nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE);
    const NetlinkAttributes attributes(message.header(), sizeof(ifinfomsg));
    EXPECT_EQ(attributes.text(IFLA_IFNAME), "eth0");
    EXPECT_EQ(attributes.number<uint32_t>(IFLA_MTU), 1400U);
    EXPECT_EQ(attributes.nested(IFLA_LINKINFO).text(IFLA_INFO_KIND), "veth");
    EXPECT_FALSE(attributes.has(IFLA_ADDRESS));
    EXPECT_FALSE(attributes.number<uint64_t>(IFLA_MTU)) << "shorter than asked for";
    EXPECT_EQ(attributes.nested(IFLA_PROP_LIST).text(IFLA_ALT_IFNAME), "");
}

// Byte by byte as the kernel's documents have it: lengths without the padding, padding of zeros, nests marked.
TEST(NetlinkMessage, LooksAsTheKernelWantsIt) {
    rtgenmsg family{};
    family.rtgen_family = 7;
    NetlinkMessage message(RTM_GETLINK, NLM_F_DUMP, family);
    message.add_text(3, "ab");
    {
        const NetlinkMessage::Nest nest(message, 18);
        message.add_number(1, uint8_t{9});
    }
    const std::vector<uint8_t> expected = {
        40, 0, 0,  0,    18,  0,   5, 3, 0, 0, 0, 0, 0, 0, 0, 0, // the header
        7,  0, 0,  0,                                            // the family's
        7,  0, 3,  0,    'a', 'b', 0, 0,                         // an attribute of three bytes
        12, 0, 18, 0x80,                                         // a nest
        5,  0, 1,  0,    9,   0,   0, 0,
    };
    EXPECT_EQ(exactly(message.bytes()), expected);
}

TEST(NetlinkMessage, AHeaderMayStandInANest) {
    NetlinkMessage message(RTM_NEWLINK, 0, ifinfomsg{});
    {
        NetlinkMessage::Nest peer(message, VETH_INFO_PEER);
        ifinfomsg header{};
        header.ifi_index = 77;
        peer.add_header(&header, sizeof header);
        message.add_text(IFLA_IFNAME, "host0");
    }
    const auto bytes = NetlinkAttributes(message.header(), sizeof(ifinfomsg)).bytes(VETH_INFO_PEER);
    ASSERT_GT(bytes.size(), sizeof(ifinfomsg));
    EXPECT_EQ(reinterpret_cast<const ifinfomsg*>(bytes.data())->ifi_index, 77);
    EXPECT_EQ(NetlinkAttributes(bytes.subspan(sizeof(ifinfomsg))).text(IFLA_IFNAME), "host0");
}

TEST(NetlinkMessage, ANestThatStayedEmptyIsTakenBack) {
    NetlinkMessage message(RTM_NEWLINK, 0, ifinfomsg{});
    { const NetlinkMessage::Nest data(message, IFLA_INFO_DATA); }
    EXPECT_EQ(message.bytes().size(), NLMSG_LENGTH(sizeof(ifinfomsg)));
    EXPECT_TRUE(message.fits());
}

TEST(NetlinkMessage, WhatDoesNotFitIsRemembered) {
    for (const size_t size : {size_t{4096}, size_t{65536}, SIZE_MAX, SIZE_MAX - 3}) {
        NetlinkMessage message(RTM_NEWLINK, 0, ifinfomsg{});
        const NetlinkMessage::Nest nest(message, IFLA_LINKINFO);
        message.add_bytes(IFLA_IFALIAS, nullptr, size); // nothing is copied
        EXPECT_FALSE(message.fits()) << size;
        message.add_text(IFLA_IFNAME, "eth0");
        EXPECT_FALSE(message.fits()) << "something smaller does not make up for it";
    }
    NetlinkMessage full(RTM_NEWLINK, 0, ifinfomsg{});
    while (full.fits()) {
        full.add_text(IFLA_IFNAME, "123456789");
        EXPECT_LE(full.bytes().size(), 4096U);
    }
}

TEST(NetlinkAttributes, WhatClaimsMoreThanThereIsEndsTheList) {
    for (const uint16_t claimed : {uint16_t{0}, uint16_t{3}, uint16_t{9}, uint16_t{65535}}) {
        const std::vector<uint8_t> bytes = attribute(claimed, IFLA_IFNAME, "four");
        const NetlinkAttributes attributes{std::span(bytes)};
        EXPECT_FALSE(attributes.has(IFLA_IFNAME)) << claimed;
        attributes.each([](const nlattr&) { FAIL(); });
    }
    const std::vector<uint8_t> stub = {8, 0, 3};
    EXPECT_FALSE(NetlinkAttributes(std::span(stub)).has(3)) << "not even a header";
}

TEST(NetlinkAttributes, TheLastOneNeedsNoPadding) {
    std::vector<uint8_t> bytes = attribute(5, 1, std::string_view("x\0\0\0", 4));
    const std::vector<uint8_t> last = attribute(6, 2, "yz");
    bytes.insert(bytes.end(), last.begin(), last.end());
    const NetlinkAttributes attributes{std::span(bytes)};
    EXPECT_EQ(attributes.text(1), "x");
    EXPECT_EQ(attributes.text(2), "yz") << "and text no closing zero byte";
}

TEST(NetlinkAttributes, MarksInTheTypeAreNoPartOfIt) {
    const std::vector<uint8_t> bytes = attribute(8, 0x8000 | 5, "four");
    EXPECT_TRUE(NetlinkAttributes(std::span(bytes)).has(5));
}

TEST(NetlinkMessages, AreTakenOneAfterTheOther) {
    NetlinkMessage first(RTM_NEWLINK, 0, ifinfomsg{});
    first.add_text(IFLA_IFNAME, "a");
    const NetlinkMessage second(NLMSG_DONE, 0, uint8_t{0});
    std::vector<uint8_t> both = exactly(first.bytes());
    both.insert(both.end(), second.bytes().begin(), second.bytes().end());
    std::span<const uint8_t> left(both);
    const nlmsghdr* found = take_message(left);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(NetlinkAttributes(*found, sizeof(ifinfomsg)).text(IFLA_IFNAME), "a");
    found = take_message(left);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->nlmsg_type, NLMSG_DONE);
    EXPECT_EQ(family_header<nlmsgerr>(*found), nullptr) << "too short for that";
    EXPECT_FALSE(NetlinkAttributes(*found, 1000).has(0));
    EXPECT_EQ(take_message(left), nullptr);
}

TEST(NetlinkMessages, OneThatWasCutOffIsNoMessage) {
    const NetlinkMessage message(RTM_NEWLINK, 0, ifinfomsg{});
    for (size_t size = 0; size < message.bytes().size(); ++size) {
        const std::vector<uint8_t> cut = exactly(message.bytes().first(size));
        std::span<const uint8_t> left(cut);
        EXPECT_EQ(take_message(left), nullptr) << size;
    }
    std::vector<uint8_t> short_length = exactly(message.bytes());
    short_length[0] = NLMSG_HDRLEN - 1;
    std::span<const uint8_t> left(short_length);
    EXPECT_EQ(take_message(left), nullptr);
}

} // namespace
} // namespace nspawn
