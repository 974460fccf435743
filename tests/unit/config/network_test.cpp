#include "config/network.hpp"
#include "linux/capability.hpp"
#include "saying.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

NetworkSettings network(std::vector<std::string> words) { return Saying(std::move(words)).config().network; }

TEST(LinkName, WhatTheKernelAndProcTake) {
    for (const char* name : {"eth0", "a", "fifteencharname", "e.1", "ve-x_y@z", "0x"}) {
        EXPECT_TRUE(is_link_name(name)) << name;
    }
    for (const char* name : {"", ".", "..", "sixteencharslong", "a b", "a/b", "a:b", "a%d", "12", "all", "default",
                             "a\x01", "\xc3\xa4", "a\x7f"}) {
        EXPECT_FALSE(is_link_name(name)) << name;
    }
    EXPECT_TRUE(is_alternative_link_name(std::string(127, 'x')));
    EXPECT_FALSE(is_alternative_link_name(std::string(128, 'x')));
}

TEST(Network, PairsOfNames) {
    const std::vector<HostPair> pairs = parse_host_pairs(" eth0:wan  eth1 ");
    ASSERT_EQ(pairs.size(), 2U);
    EXPECT_EQ(format_host_pair(pairs[0]), "eth0:wan");
    EXPECT_EQ(format_host_pair(pairs[1]), "eth1");
    EXPECT_EQ(format_host_pair(parse_veth_pair("a:b")), "a:b");
    EXPECT_EQ(format_host_pair(parse_veth_pair("a")), "a:a");
}

TEST(Network, InterfacesImplyAPrivateNetwork) {
    for (const char* word :
         {"-n", "--network-bridge=br0", "--network-zone=z", "--network-veth-extra=a", "--network-interface=eth0",
          "--network-macvlan=eth0", "--network-ipvlan=eth0", "--network=veth", "--network=private"}) {
        Saying saying({word});
        EXPECT_TRUE(saying.config().network.is_private) << word;
        EXPECT_TRUE(has_capability(retained_capabilities(saying.config()), CAP_NET_ADMIN)) << word;
    }
    EXPECT_TRUE(network({"--network-bridge=br0"}).veth);
    EXPECT_TRUE(network({"--network-zone=z"}).veth);
    EXPECT_FALSE(network({"--network-veth-extra=a"}).veth);
    EXPECT_FALSE(network({}).is_private);
    EXPECT_FALSE(network({"-n", "--network-veth=no"}).is_private);
}

// Power over a network that others may be in too has to be asked for.
TEST(Network, AJoinedNetworkIsNotPrivate) {
    for (const char* word : {"--network-namespace-path=/run/netns/x", "--network=machine:web"}) {
        Saying saying({word});
        EXPECT_FALSE(saying.config().network.is_private) << word;
        EXPECT_TRUE(saying.config().network.joins()) << word;
        EXPECT_FALSE(has_capability(retained_capabilities(saying.config()), CAP_NET_ADMIN)) << word;
    }
    EXPECT_TRUE(network({"--network-namespace-path=/run/netns/x", "--private-network"}).is_private);
}

TEST(Network, NamespacePath) {
    EXPECT_EQ(network({"--network-namespace-path=web"}).namespace_path, "/run/netns/web");
    EXPECT_EQ(network({"--network-namespace-path=./web"}).namespace_path, "/here/web");
    EXPECT_EQ(network({"--network-namespace-path=/proc/1/ns/net"}).namespace_path, "/proc/1/ns/net");
    EXPECT_EQ(network({"--network=namespace:web"}).namespace_path, "/run/netns/web");
}

TEST(Network, WhatCannotBeCombined) {
    EXPECT_THAT(Saying({"--network-bridge=b", "--network-zone=z"}).problem(), HasSubstr("cannot be combined"));
    EXPECT_THAT(Saying({"--network-namespace-path=/x", "-n"}).problem(),
                HasSubstr("--network-namespace-path=/x cannot be combined with other network options"));
    EXPECT_THAT(Saying({"--network=machine:a", "--network=veth"}).problem(), HasSubstr("cannot be combined"));
    EXPECT_THAT(Saying({"--network=machine:a", "--network=namespace:b"}).problem(), HasSubstr("cannot be combined"));
}

TEST(Network, HostTakesBackWhatWasSaid) {
    EXPECT_FALSE(network({"-n", "--network=host"}).is_private);
    EXPECT_TRUE(network({"-n", "--network=host", "--network=veth"}).is_private);
}

TEST(Network, OwnGrammarIsReadBack) {
    for (const char* text :
         {"veth", "bridge:br0,name=lan", "zone:z,host-name=h,mac=02:00:00:00:00:01,host-mac=02:00:00:00:00:02",
          "macvlan:eth0,address=10.0.0.2/24,address=fd00::2/64,gateway=10.0.0.1,gateway=fd00::1", "ipvlan:eth0",
          "interface:eth0,name=wan"}) {
        NetworkSettings settings;
        apply_network(settings, text, "/");
        ASSERT_EQ(settings.links.size(), 1U) << text;
        EXPECT_EQ(format_network_link(settings.links.front()), text);
    }
}

TEST(Network, AddressesThatAreNobodys) {
    for (const char* keys :
         {"address=224.0.0.1/24", "address=10.0.0.0/24", "address=10.0.0.255/24", "address=127.0.0.1/8",
          "address=::1/64", "address=10.0.0.1/24,gateway=255.255.255.255", "address=10.0.0.1/24,address=10.0.0.1/16"}) {
        EXPECT_NE(Saying({"--network=veth," + std::string(keys)}).problem(), "") << keys;
    }
    EXPECT_EQ(Saying({"--network=veth,address=10.0.0.0/31,address=fd00::/64"}).problem(), "");
    for (const char* pool : {"224.0.0.0/8", "127.0.0.0/8", "fe80::/64", "ff00::/16"}) {
        EXPECT_THAT(Saying({"--network-pool=" + std::string(pool)}).problem(),
                    HasSubstr("cannot have addresses of it"));
    }
}

TEST(Network, FilesReplaceTheWholeNetworkOrNothing) {
    Saying saying({"-n", "--network-macvlan=eth0", "--settings=override"});
    EXPECT_FALSE(saying.trusted("Network.VirtualEthernet=no").config().network.is_private);
    Saying masked({"-n"});
    const NetworkSettings kept = masked.trusted("Network.MACVLAN=eth0").config().network;
    EXPECT_THAT(kept.macvlan, IsEmpty());
    EXPECT_TRUE(kept.veth);
    const NetworkSettings file =
        Saying().trusted("Network.Bridge=br0").trusted("Network.MACVLAN=a b:c").config().network;
    EXPECT_TRUE(file.is_private);
    EXPECT_EQ(file.bridge, "br0");
    EXPECT_EQ(file.macvlan.size(), 2U);
    EXPECT_FALSE(Saying().untrusted("Network.VirtualEthernet=yes").config().network.is_private);
    EXPECT_EQ(Saying().trusted("Network.Network=veth").config().network.links.size(), 1U);
}

TEST(Network, MacFromTheEnvironment) {
    EXPECT_EQ(Saying().with("SYSTEMD_NSPAWN_NETWORK_MAC=02:00:00:00:00:01").problem(), "");
    EXPECT_THAT(Saying().with("SYSTEMD_NSPAWN_NETWORK_MAC=x").problem(), HasSubstr("not a MAC address"));
}

} // namespace
} // namespace nspawn
