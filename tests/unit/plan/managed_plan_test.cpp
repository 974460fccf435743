#include "base/error.hpp"
#include "plan/managed_plan.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

ManagedInput veth(ManagedMode mode) {
    ManagedInput input;
    input.mode = mode;
    input.link = "ve-web";
    input.container_link = "host0";
    input.ipv6 = true;
    return input;
}

TEST(ManagedPlan, NothingIsManagedUnlessAskedFor) {
    EXPECT_TRUE(plan_managed_network(veth(ManagedMode::no)).link.empty());
    EXPECT_TRUE(plan_managed_network({}).link.empty());
}

TEST(ManagedPlan, YesManagesTheLink) {
    const ManagedPlan plan = plan_managed_network(veth(ManagedMode::yes));
    EXPECT_EQ(plan.link, "ve-web");
    EXPECT_EQ(plan.container_link, "host0");
    EXPECT_FALSE(plan.dhcp);
    EXPECT_FALSE(plan.step_back);
    EXPECT_EQ(plan.ipv4_pools.size(), 3U);
    EXPECT_EQ(plan.ipv6_pools.size(), 1U);
}

TEST(ManagedPlan, WhereNetworkdManagesItAutoStepsBackAndYesRefuses) {
    ManagedInput input = veth(ManagedMode::automatic);
    EXPECT_TRUE(plan_managed_network(input).step_back);
    input.networkd_file = "/usr/lib/systemd/network/80-container-ve.network";
    EXPECT_TRUE(plan_managed_network(input).link.empty());
    for (const ManagedMode mode : {ManagedMode::yes, ManagedMode::dhcp}) {
        input.mode = mode;
        EXPECT_THROW(plan_managed_network(input), Error);
    }
}

TEST(ManagedPlan, WithoutALinkThereIsNothingToManage) {
    ManagedInput input;
    input.mode = ManagedMode::automatic;
    EXPECT_TRUE(plan_managed_network(input).link.empty());
    input.mode = ManagedMode::yes;
    EXPECT_THROW(plan_managed_network(input), Error);
}

TEST(ManagedPlan, APoolThatIsGivenIsTheOnlyOne) {
    ManagedInput input = veth(ManagedMode::yes);
    add_address_pools(input.pools, "10.77.0.0/16, fd77::/56");
    const ManagedPlan plan = plan_managed_network(input);
    EXPECT_EQ(plan.ipv4_pools, std::vector{*parse_ip_prefix("10.77.0.0/16")});
    EXPECT_EQ(plan.ipv6_pools, std::vector{*parse_ip_prefix("fd77::/56")});
    EXPECT_TRUE(plan.pool_is_given);
    input.ipv6 = false;
    EXPECT_TRUE(plan_managed_network(input).ipv6_pools.empty());
}

TEST(ManagedPlan, PatternsAreNoNames) {
    ManagedInput input = veth(ManagedMode::yes);
    for (const char* name : {"br*", "br\"", "br\\"}) {
        input.link = name;
        EXPECT_THROW(plan_managed_network(input), Error) << name;
    }
}

TEST(AddressPools, AreNetworksOfASensibleSize) {
    AddressPools pools;
    for (const char* text :
         {"10.0.0.0", "10.0.0.1/8", "10.0.0.0/31", "0.0.0.0/0", "fd00::/8", "fd00::/97", "lan", "10.0.0.0/8x"}) {
        EXPECT_THROW(add_address_pools(pools, text), Error) << text;
    }
    add_address_pools(pools, "10.0.0.0/8");
    add_address_pools(pools, "10.1.0.0/30");
    EXPECT_EQ(pools.ipv4, parse_ip_prefix("10.1.0.0/30"));
    EXPECT_FALSE(pools.ipv6);
}

} // namespace
} // namespace nspawn
