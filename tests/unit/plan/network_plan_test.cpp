// Names and MAC addresses as systemd-nspawn 252 was seen to give them on a host with this machine id.
#include "base/error.hpp"
#include "plan/network_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {
namespace {

using ::testing::HasSubstr;

const Id128 kHost = *Id128::parse("3d1219c7c4c5404aaa1f6d2a48adfda4");

NetworkPlan plan(const NetworkSettings& settings, const std::string& machine = "short") {
    return plan_network(settings, machine, kHost, std::nullopt);
}
NetworkPlan plan(std::string_view network) {
    NetworkSettings settings;
    apply_network(settings, network, "/");
    return plan(settings);
}
std::string mac(const std::optional<MacAddress>& address) { return address ? format_mac_address(*address) : "none"; }

std::string problem(const NetworkSettings& settings) {
    try {
        (void)plan(settings);
    } catch (const Error& error) {
        return error.message();
    }
    return "";
}

TEST(LinkName, LongOnesAreCutAndHashed) {
    EXPECT_EQ(fit_link_name("ve-short"), (LinkName{"ve-short", ""}));
    EXPECT_EQ(fit_link_name("ve-fifteenchars"), (LinkName{"ve-fifteenchars", ""}));
    EXPECT_EQ(fit_link_name("ve-averyveryverylongmachinename"),
              (LinkName{"ve-averyvermBQ8", "ve-averyveryverylongmachinename"}));
    EXPECT_EQ(fit_link_name("vb-averyveryverylongmachinename").name, "vb-averyverZZ6y");
    EXPECT_EQ(fit_link_name("mv-p_very_long_na0").name, "mv-p_very_lt-NO");
    EXPECT_EQ(fit_link_name(std::string(200, 'x')).whole.size(), 127U);
}

TEST(NetworkPlan, Pair) {
    NetworkSettings settings;
    settings.veth = true;
    const NetworkPlan network = plan(settings);
    ASSERT_EQ(network.links.size(), 1U);
    const PlannedLink& link = network.links.front();
    EXPECT_EQ(link.name.name, "host0");
    EXPECT_EQ(link.host_name.name, "ve-short");
    EXPECT_EQ(mac(link.mac), "3e:c1:b7:30:8d:08");
    EXPECT_EQ(mac(link.host_mac), "5e:5b:48:fd:8b:01");
    EXPECT_EQ(link.bridge, "");
    const PlannedLink other = plan(settings, "averyveryverylongmachinename").links.front();
    EXPECT_EQ(mac(other.mac), "a2:7f:25:fa:d3:b5");
    EXPECT_EQ(mac(other.host_mac), "ea:1a:94:fd:cf:1c");
}

TEST(NetworkPlan, BridgeAndZone) {
    NetworkSettings settings;
    settings.veth = true;
    settings.zone = "z1";
    const PlannedLink zone = plan(settings).links.front();
    EXPECT_EQ(zone.host_name.name, "vb-short");
    EXPECT_EQ(zone.bridge, "vz-z1");
    EXPECT_TRUE(zone.zone);
    EXPECT_EQ(mac(zone.host_mac), "5e:5b:48:fd:8b:01");
    settings.zone.clear();
    settings.bridge = "br0";
    const PlannedLink bridge = plan(settings).links.front();
    EXPECT_EQ(bridge.bridge, "br0");
    EXPECT_FALSE(bridge.zone);
}

TEST(NetworkPlan, ExtraPairsCountThemselves) {
    NetworkSettings settings;
    settings.extra = {parse_veth_pair("foo:bar"), parse_veth_pair("baz")};
    const NetworkPlan network = plan(settings);
    ASSERT_EQ(network.links.size(), 2U);
    EXPECT_EQ(network.links[0].host_name.name, "foo");
    EXPECT_EQ(network.links[0].name.name, "bar");
    EXPECT_EQ(mac(network.links[0].host_mac), "36:a1:ed:f5:d5:89");
    EXPECT_EQ(mac(network.links[0].mac), "16:6e:12:76:8d:54");
    EXPECT_EQ(network.links[1].name.name, "baz");
    EXPECT_EQ(mac(network.links[1].host_mac), "36:02:d1:11:e2:34");
    EXPECT_EQ(mac(network.links[1].mac), "1a:40:28:c0:86:0a");
}

TEST(NetworkPlan, OnTheHostsInterfaces) {
    NetworkSettings settings;
    settings.macvlan = {{"dum0", ""}, {"dumpeer", "mm"}};
    settings.ipvlan = {{"dum0", ""}};
    settings.interfaces = {{"eth1", "wan"}, {"eth2", ""}};
    const NetworkPlan network = plan(settings);
    ASSERT_EQ(network.links.size(), 5U);
    EXPECT_EQ(network.links[0].name.name, "wan");
    EXPECT_EQ(network.links[1].name.name, "") << "it keeps the name that it has";
    EXPECT_EQ(network.links[2].name.name, "mv-dum0");
    EXPECT_EQ(mac(network.links[2].mac), "2e:31:fb:6e:39:6e");
    EXPECT_EQ(network.links[3].name.name, "mm");
    EXPECT_EQ(mac(network.links[3].mac), "a2:f9:af:a0:80:6c");
    EXPECT_EQ(network.links[4].name.name, "iv-dum0");
    EXPECT_EQ(mac(network.links[4].mac), "none");
}

TEST(NetworkPlan, OwnGrammarOverridesWhatFollows) {
    const PlannedLink link = plan("bridge:br0,name=lan,host-name=h,mac=02:00:00:00:00:01,host-mac=02:00:00:00:00:02,"
                                  "address=10.0.0.2/24,gateway=10.0.0.1")
                                 .links.front();
    EXPECT_EQ(link.name.name, "lan");
    EXPECT_EQ(link.host_name.name, "h");
    EXPECT_EQ(mac(link.mac), "02:00:00:00:00:01");
    EXPECT_EQ(mac(link.host_mac), "02:00:00:00:00:02");
    EXPECT_EQ(link.bridge, "br0");
    EXPECT_EQ(link.addresses.size(), 1U);
    EXPECT_EQ(link.gateways.size(), 1U);
}

TEST(NetworkPlan, FurtherPairsHaveOtherNamesAndAddresses) {
    NetworkSettings settings;
    settings.veth = true;
    apply_network(settings, "veth", "/");
    apply_network(settings, "zone:a", "/");
    const NetworkPlan network = plan(settings);
    ASSERT_EQ(network.links.size(), 3U);
    EXPECT_EQ(network.links[1].name.name, "host1");
    EXPECT_EQ(network.links[1].host_name.name, "ve-short-1");
    EXPECT_EQ(network.links[2].name.name, "host2");
    EXPECT_EQ(network.links[2].host_name.name, "vb-short-2");
    EXPECT_NE(network.links[1].mac, network.links[0].mac);
    EXPECT_NE(network.links[2].mac, network.links[1].mac);
}

TEST(NetworkPlan, FirstAddressCanBeGiven) {
    NetworkSettings settings;
    settings.veth = true;
    const auto given = parse_mac_address("02:00:00:00:00:09");
    EXPECT_EQ(plan_network(settings, "short", kHost, given).links.front().mac, given);
    EXPECT_EQ(mac(plan_network(settings, "short", std::nullopt, std::nullopt).links.front().mac), "none")
        << "of a host without an id the kernel chooses";
}

TEST(NetworkPlan, TwoOfOneNameAreRefused) {
    NetworkSettings settings;
    settings.veth = true;
    settings.extra = {parse_veth_pair("host0")};
    EXPECT_THAT(problem(settings), HasSubstr("two interfaces of the container would be called 'host0'"));
    settings.extra = {parse_veth_pair("ve-short:x")};
    EXPECT_THAT(problem(settings), HasSubstr("two interfaces of the host would be called 've-short'"));
    settings = {};
    settings.macvlan = {{"eth0", ""}, {"eth0", ""}};
    EXPECT_THAT(problem(settings), HasSubstr("would be called 'mv-eth0'"));
    settings = {};
    settings.extra = {parse_veth_pair("x:lo")};
    EXPECT_THAT(problem(settings), HasSubstr("would be called 'lo'"));
}

TEST(NetworkPlan, WhatIsMovedIsNotThereForAnother) {
    NetworkSettings settings;
    settings.interfaces = {{"eth0", ""}};
    settings.macvlan = {{"eth0", ""}};
    EXPECT_THAT(problem(settings), HasSubstr("'eth0' is asked for twice"));
}

} // namespace
} // namespace nspawn
