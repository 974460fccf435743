#include "plan/address_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace nspawn {
namespace {

IpPrefix prefix(const char* text) { return parse_ip_prefix(text).value(); }

std::optional<IpPrefix> choose(std::vector<IpPrefix> pools, unsigned length, uint64_t seed,
                               std::vector<IpPrefix> leased = {}, std::vector<IpPrefix> on_host = {},
                               bool given = false) {
    return choose_subnet(
        {.pools = pools, .pool_is_given = given, .length = length, .seed = seed, .leased = leased, .on_host = on_host});
}

TEST(AddressPool, TheSameSeedGivesTheSameSubnet) {
    EXPECT_EQ(choose({prefix("10.160.0.0/11")}, 28, 0), prefix("10.160.0.0/28"));
    EXPECT_EQ(choose({prefix("10.160.0.0/11")}, 28, 1), prefix("10.160.0.16/28"));
    EXPECT_EQ(choose({prefix("10.160.0.0/11")}, 28, (1 << 17) + 3), prefix("10.160.0.48/28"));
    EXPECT_EQ(choose({prefix("fd00:1:2::/48")}, 64, 0xabcd), prefix("fd00:1:2:abcd::/64"));
}

TEST(AddressPool, WhatIsTakenIsPassedOver) {
    EXPECT_EQ(choose({prefix("10.160.0.0/11")}, 28, 0, {prefix("10.160.0.0/28")}), prefix("10.160.0.16/28"));
    EXPECT_EQ(choose({prefix("10.160.0.0/11")}, 28, 5, {prefix("10.160.0.0/16")}), prefix("10.161.0.0/28"));
    EXPECT_EQ(choose({prefix("10.160.0.0/11")}, 28, 0, {}, {prefix("10.160.0.9/32")}), prefix("10.160.0.16/28"));
    // It wraps around.
    EXPECT_EQ(choose({prefix("10.0.0.0/30")}, 31, 1, {prefix("10.0.0.2/31")}), prefix("10.0.0.0/31"));
}

TEST(AddressPool, AFullPoolIsLeftForTheNext) {
    const std::vector<IpPrefix> pools = {prefix("10.160.0.0/11"), prefix("172.28.0.0/14")};
    EXPECT_EQ(choose(pools, 22, 0, {}, {prefix("10.0.0.0/8")}), prefix("172.28.0.0/22"));
    EXPECT_EQ(choose(pools, 22, 0, {}, {prefix("10.0.0.0/8"), prefix("172.16.0.0/12")}), std::nullopt);
    EXPECT_EQ(choose({prefix("10.0.0.0/29")}, 30, 7, {prefix("10.0.0.0/30"), prefix("10.0.0.4/30")}), std::nullopt);
}

TEST(AddressPool, AFullPoolIsFoundOutQuickly) {
    std::vector<IpPrefix> leased;
    for (unsigned i = 0; i < 2048; ++i) {
        leased.push_back({address_in(prefix("10.160.0.0/11"), i << 10), 22});
    }
    EXPECT_EQ(choose({prefix("10.160.0.0/11")}, 28, 77, leased), std::nullopt);
}

TEST(AddressPool, TheDefaultRouteTakesNothing) {
    EXPECT_EQ(choose({prefix("10.0.0.0/8")}, 28, 0, {}, {prefix("0.0.0.0/0")}), prefix("10.0.0.0/28"));
}

TEST(AddressPool, OfAPoolThatWasGivenWiderRoutesAreKnown) {
    EXPECT_EQ(choose({prefix("10.9.0.0/16")}, 28, 0, {}, {prefix("10.0.0.0/8")}, true), prefix("10.9.0.0/28"));
    EXPECT_EQ(choose({prefix("10.9.0.0/16")}, 28, 0, {}, {prefix("10.9.0.0/16")}, true), std::nullopt);
}

TEST(AddressPool, APoolSmallerThanASubnetIsTheSubnet) {
    EXPECT_EQ(choose({prefix("10.9.8.0/29")}, 22, 12345), prefix("10.9.8.0/29"));
    EXPECT_EQ(choose({prefix("10.9.8.0/29")}, 22, 12345, {prefix("10.9.8.0/29")}), std::nullopt);
}

TEST(AddressPool, DefaultsArePrivateNetworks) {
    for (const IpPrefix& pool : default_ipv4_pools()) {
        EXPECT_EQ(pool, network_of(pool));
        EXPECT_TRUE(contains(prefix("10.0.0.0/8"), pool.address) || contains(prefix("172.16.0.0/12"), pool.address) ||
                    contains(prefix("192.168.0.0/16"), pool.address))
            << format_ip_prefix(pool);
    }
}

TEST(AddressPool, TheIpv6PoolFollowsFromTheMachineId) {
    const Id128 id = Id128::parse("0123456789abcdef0123456789abcdef").value();
    const IpPrefix pool = ipv6_pool_of_host(id);
    EXPECT_EQ(pool, ipv6_pool_of_host(id));
    EXPECT_EQ(pool.length, 48U);
    EXPECT_EQ(pool, network_of(pool));
    EXPECT_TRUE(contains(prefix("fd00::/8"), pool.address));
    EXPECT_NE(pool, ipv6_pool_of_host(Id128::parse("1123456789abcdef0123456789abcdef").value()));
}

TEST(AddressPool, MembersAreNeverTheNetworkItsGatewayOrItsBroadcast) {
    const IpPrefix subnet = prefix("10.160.0.16/28");
    std::vector<IpAddress> taken;
    for (int i = 0; i < 13; ++i) {
        const auto offset = choose_member(subnet, 1000003, taken);
        ASSERT_TRUE(offset);
        EXPECT_GE(*offset, 2U);
        EXPECT_LE(*offset, 14U);
        taken.push_back(address_in(subnet, *offset));
    }
    EXPECT_EQ(std::set<IpAddress>(taken.begin(), taken.end()).size(), 13U);
    EXPECT_EQ(choose_member(subnet, 1000003, taken), std::nullopt);
    EXPECT_EQ(format_ip_address(gateway_of(subnet)), "10.160.0.17");
}

TEST(AddressPool, TheSmallestSubnetHasOneMember) {
    EXPECT_EQ(choose_member(prefix("10.0.0.0/30"), 99, {}), 2U);
    EXPECT_EQ(choose_member(prefix("10.0.0.0/31"), 99, {}), std::nullopt);
    EXPECT_EQ(choose_member(prefix("10.0.0.0/32"), 99, {}), std::nullopt);
}

} // namespace
} // namespace nspawn
