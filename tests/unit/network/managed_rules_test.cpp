#include "network/dhcp_server.hpp"
#include "network/managed_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

IpPrefix prefix(const char* text) { return parse_ip_prefix(text).value(); }

ManagedRules sample() {
    return {.link = "vz-lab", .networks = {prefix("10.160.4.1/22"), prefix("fd01::1/64")}, .opened = {}};
}

TEST(ManagedRules, WhatLeavesGoesUnderTheHostsAddress) {
    const std::string text = make_managed_table(sample(), true);
    EXPECT_THAT(text, HasSubstr("table inet io.nspawn-vz-lab {\nflags owner;\n"));
    EXPECT_THAT(text, HasSubstr("ip saddr 10.160.4.0/22 oifname != \"vz-lab\" masquerade\n"));
    EXPECT_THAT(text, HasSubstr("ip6 saddr fd01::/64 oifname != \"vz-lab\" masquerade\n"));
    EXPECT_THAT(make_managed_table(sample(), false), Not(HasSubstr("owner")));
}

TEST(ManagedRules, MembersUseTheirNetworksAddresses) {
    const std::string text = make_managed_table(sample(), true);
    EXPECT_THAT(text, HasSubstr("iifname \"vz-lab\" ip saddr != 10.160.4.0/22 drop\n"));
    EXPECT_THAT(text, HasSubstr("iifname \"vz-lab\" ip6 saddr != fd01::/64 drop\n"));
}

TEST(ManagedRules, OnlyAnswersAndPublishedPortsComeIn) {
    const std::string text = make_managed_table(sample(), true);
    const size_t answers = text.find("oifname \"vz-lab\" ct state established,related accept");
    const size_t published = text.find("oifname \"vz-lab\" ct status dnat accept");
    const size_t others = text.find("iifname != \"vz-lab\" oifname \"vz-lab\" drop");
    EXPECT_LT(answers, published);
    EXPECT_LT(published, others);
    EXPECT_NE(others, std::string::npos);
}

TEST(ManagedRules, WhatWasOpenedForUsIsNoWayBetweenOthers) {
    ManagedRules rules = sample();
    EXPECT_THAT(make_managed_table(rules, true), Not(HasSubstr("{ \"")));
    rules.opened = {"eth0", "wl\"an", "tun0"};
    EXPECT_THAT(make_managed_table(rules, true),
                HasSubstr("iifname { \"eth0\", \"tun0\" } oifname { \"eth0\", \"tun0\" } drop\n"));
}

TEST(DhcpServer, ServesTheLinkAndItsHostsAndNothingElse) {
    const ManagedNetwork network{.link = "vz-lab",
                                 .container_link = "host0",
                                 .dhcp = true,
                                 .gateways = {prefix("10.160.4.1/22"), prefix("fd01::1/64")},
                                 .addresses = {}};
    const std::vector<std::string> words = dhcp_arguments(network, "/run/hosts");
    for (const char* word :
         {"--interface=vz-lab", "--bind-interfaces", "--port=0", "--conf-file=/dev/null", "--leasefile-ro",
          "--dhcp-hostsdir=/run/hosts", "--dhcp-range=10.160.4.0,static,255.255.252.0,1h",
          "--dhcp-option=option:router,10.160.4.1", "--dhcp-option=option:dns-server,10.160.4.1", "--enable-ra",
          "--dhcp-range=fd01::,static,64,1h", "--dhcp-option=option6:dns-server,[fd01::1]"}) {
        EXPECT_THAT(words, Contains(word));
    }
}

} // namespace
} // namespace nspawn
