#include "lease/lease_record.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

LeaseRecord sample() {
    return {.machine = "web",
            .link = "vz-lab",
            .network_namespace = 4026531840,
            .gateways = {parse_ip_address("10.160.4.1").value(), parse_ip_address("fd01::1").value()},
            .addresses = {parse_ip_prefix("10.160.4.7/22").value(), parse_ip_prefix("fd01::7/64").value()}};
}

TEST(LeaseRecord, WhatIsWrittenIsRead) {
    const auto read = parse_lease(lease_as_text(sample()));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->machine, "web");
    EXPECT_EQ(read->link, "vz-lab");
    EXPECT_EQ(read->network_namespace, 4026531840U);
    EXPECT_EQ(read->gateways, sample().gateways);
    EXPECT_EQ(read->addresses, sample().addresses);
}

TEST(LeaseRecord, FixedAddressesBesideOthers) {
    LeaseRecord record = sample();
    record.fixed = {{"vz-other", parse_ip_prefix("192.168.7.1/24").value()},
                    {"vz-lab", parse_ip_prefix("fd02::1/64").value()}};
    const auto read = parse_lease(lease_as_text(record));
    ASSERT_TRUE(read);
    EXPECT_TRUE(read->is_managed());
    EXPECT_EQ(read->fixed, record.fixed);
    EXPECT_EQ(all_addresses(*read).size(), 4U);
    EXPECT_EQ(addresses_on_link(*read, "vz-lab").size(), 3U);
    EXPECT_EQ(addresses_on_link(*read, "vz-other"), std::vector{parse_ip_address("192.168.7.1").value()});
}

TEST(LeaseRecord, FixedAddressesAlone) {
    LeaseRecord record{.machine = "web", .link = {}, .network_namespace = 7, .gateways = {}, .addresses = {}};
    record.fixed.assign(kMostLeasedAddresses + 1, {"ve-web", parse_ip_prefix("10.0.0.1/8").value()});
    const auto read = parse_lease(lease_as_text(record));
    ASSERT_TRUE(read);
    EXPECT_FALSE(read->is_managed());
    EXPECT_EQ(read->fixed.size(), kMostLeasedAddresses) << "more are not written, since they would not be read";
}

TEST(LeaseRecord, KeysOfALaterVersionAreSkipped) {
    EXPECT_TRUE(parse_lease(lease_as_text(sample()) + "COLOUR=blue\nnothing\n"));
}

TEST(LeaseRecord, WhatWeWouldNotWriteIsRefused) {
    for (const char* text :
         {"", "MACHINE=web", "LINK=ve-web\n", "MACHINE=\n", "MACHINE=a/b\n", "MACHINE=a b\n", "MACHINE=web\nLINK=\n",
          "MACHINE=web\nLINK=0123456789abcdef\n", "MACHINE=web\nADDRESS=10.0.0.1/x\n", "MACHINE=web\nGATEWAY=web\n",
          "MACHINE=web\nNETWORK_NAMESPACE=-1\n", "MACHINE=web\nFIXED=10.0.0.1/8\n", "MACHINE=web\nFIXED= 10.0.0.1/8\n",
          "MACHINE=web\nFIXED=a/b 10.0.0.1/8\n", "MACHINE=web\nFIXED=ve-web\n"}) {
        EXPECT_FALSE(parse_lease(text)) << text;
    }
    EXPECT_FALSE(parse_lease("MACHINE=" + std::string(65, 'a') + "\n"));
    EXPECT_FALSE(parse_lease("MACHINE=web\n" + std::string(kLargestLease, 'x') + "\n"));
    std::string many = "MACHINE=web\n";
    for (int i = 0; i < 17; ++i) {
        many += "ADDRESS=10.0.0.1/8\n";
    }
    EXPECT_FALSE(parse_lease(many));
}

} // namespace
} // namespace nspawn
