#include "image/shifted_ids.hpp"

#include <gtest/gtest.h>

namespace nspawn {

namespace {

using namespace std::string_literals;

TEST(ShiftedIds, TheLowSixteenBitsStay) {
    EXPECT_EQ(shifted_id(0, 0x10000), 0x10000U);
    EXPECT_EQ(shifted_id(1000, 0x7fff0000), 0x7fff03e8U);
    EXPECT_EQ(shifted_id(0x7fff03e8, 0), 1000U);
    EXPECT_EQ(shifted_id(0xfffe0007, 0x20000), 0x20007U);
    EXPECT_EQ(shifted_id(shifted_id(65535, 0x30000), 0x30000), 0x3ffffU);
}

// Version 2; user::rw-, user 1000:r--, group::r--, group 33:-w-, mask::rw-, other::---
std::string acl(const std::string& user, const std::string& group) {
    const std::string undefined = "\xff\xff\xff\xff";
    return "\x02\0\0\0"s + "\x01\0\x06\0"s + undefined + "\x02\0\x04\0"s + user + "\x04\0\x04\0"s + undefined +
           "\x08\0\x02\0"s + group + "\x10\0\x06\0"s + undefined + "\x20\0\0\0"s + undefined;
}

TEST(ShiftedIds, NamedUsersAndGroupsOfAnAclMove) {
    const std::string before = acl("\xe8\x03\0\0"s, "\x21\0\0\0"s);
    EXPECT_EQ(shifted_acl(before, 0x12340000), acl("\xe8\x03\x34\x12"s, "\x21\0\x34\x12"s));
    EXPECT_EQ(shifted_acl(shifted_acl(before, 0x12340000), 0), before);
}

TEST(ShiftedIds, WhatIsNoAclStays) {
    const std::string good = acl("\xe8\x03\0\0"s, "\x21\0\0\0"s);
    for (const std::string& bad : {""s, "\x02"s, "\x03"s + good.substr(1), good.substr(0, good.size() - 1)}) {
        EXPECT_EQ(shifted_acl(bad, 0x10000), bad);
    }
    EXPECT_EQ(shifted_acl("\x02\0\0\0"s, 0x10000), "\x02\0\0\0"s); // no entries at all
}

const std::string kSets = "\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s;
const std::string kEverywhere = "\x01\0\0\x02"s + kSets;

TEST(ShiftedIds, CapabilitiesHoldInTheContainerAlone) {
    EXPECT_EQ(shifted_capability(kEverywhere, 0x12340000), "\x01\0\0\x03"s + kSets + "\0\0\x34\x12"s);
    EXPECT_EQ(shifted_capability("\x01\0\0\x03"s + kSets + "\x05\0\x34\x12"s, 0x20000),
              "\x01\0\0\x03"s + kSets + "\x05\0\x02\0"s);
    EXPECT_EQ(shifted_capability("\x01\0\0\x03"s + kSets + "\0\0\x34\x12"s, 0), kEverywhere);
    EXPECT_EQ(shifted_capability(kEverywhere, 0), kEverywhere);
}

TEST(ShiftedIds, WhatAreNoCapabilitiesStay) {
    for (const std::string& bad : {""s, "\x01\0\0\x01\0\0\0\0\0\0\0\0"s, "\x01\0\0\x03"s + kSets,
                                   "\x01\0\0\x02"s + kSets + "\0\0\0\0"s, "\x01\0\0\x04"s + kSets}) {
        EXPECT_EQ(shifted_capability(bad, 0x10000), bad);
    }
}

} // namespace

} // namespace nspawn
