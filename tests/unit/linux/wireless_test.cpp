#include "linux/wireless.hpp"

#include <gtest/gtest.h>

#include <linux/genetlink.h>
#include <linux/nl80211.h>

namespace nspawn {
namespace {

const genlmsghdr& generic_header(const NetlinkMessage& message) { return *family_header<genlmsghdr>(message.header()); }

TEST(Wireless, AsksForTheFamilyByName) {
    const NetlinkMessage message = wireless_family_question();
    EXPECT_EQ(message.header().nlmsg_type, GENL_ID_CTRL);
    EXPECT_EQ(generic_header(message).cmd, CTRL_CMD_GETFAMILY);
    EXPECT_EQ(NetlinkAttributes(message.header(), sizeof(genlmsghdr)).text(CTRL_ATTR_FAMILY_NAME), "nl80211");
}

TEST(Wireless, AsksForTheRadioOfALink) {
    const NetlinkMessage message = radio_question(28, 7);
    EXPECT_EQ(message.header().nlmsg_type, 28);
    EXPECT_EQ(generic_header(message).cmd, NL80211_CMD_GET_INTERFACE);
    const NetlinkAttributes attributes(message.header(), sizeof(genlmsghdr));
    EXPECT_EQ(attributes.number<uint32_t>(NL80211_ATTR_IFINDEX), 7U);
}

TEST(Wireless, MovesARadioIntoTheNamespaceOfADescriptor) {
    const NetlinkMessage message = radio_move(28, 3, 11);
    EXPECT_EQ(message.header().nlmsg_type, 28);
    EXPECT_EQ(generic_header(message).cmd, NL80211_CMD_SET_WIPHY_NETNS);
    const NetlinkAttributes attributes(message.header(), sizeof(genlmsghdr));
    EXPECT_EQ(attributes.number<uint32_t>(NL80211_ATTR_WIPHY), 3U);
    EXPECT_EQ(attributes.number<uint32_t>(NL80211_ATTR_NETNS_FD), 11U);
    EXPECT_FALSE(attributes.has(NL80211_ATTR_PID));
}

TEST(Wireless, TheLoopbackInterfaceHasNoRadio) {
    const Result<std::optional<uint32_t>> radio = radio_of_link(1);
    ASSERT_TRUE(radio.ok());
    EXPECT_FALSE(radio.value());
}

} // namespace
} // namespace nspawn
