// What nspawn and nspawn-network say to each other.
#include "config/network_message.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

NetworkRequest passed_on(const NetworkRequest& request, size_t& packets, size_t& longest) {
    NetworkRequest heard;
    bool begun = false;
    for_each_packet(request, [&](const std::string& packet) {
        ++packets;
        longest = std::max(longest, packet.size());
        const auto message = parse_packet(packet);
        ASSERT_TRUE(message);
        ASSERT_FALSE(begun);
        begun = message->kind == NetworkMessageKind::begin;
        EXPECT_TRUE(begun || add_to_request(heard, message->text));
    });
    EXPECT_TRUE(begun);
    return heard;
}

TEST(NetworkMessage, ARequestArrivesAsItWasMade) {
    NetworkRequest request{.machine = "web", .ports = {}, .managed = {}};
    const std::string address = "fd00:1111:2222:3333:4444:5555:6666:7777";
    for (uint16_t port = 1; port <= kMostPublishedPorts; ++port) {
        request.ports.push_back({PortProtocol::udp, address, port, port, 1});
    }
    size_t packets = 0;
    size_t longest = 0;
    const NetworkRequest heard = passed_on(request, packets, longest);
    EXPECT_EQ(heard.machine, "web");
    EXPECT_EQ(heard.ports, request.ports);
    EXPECT_FALSE(heard.again);
    EXPECT_GT(packets, 20);
    EXPECT_LT(longest, 16384) << "as much as a packet holds";
}

TEST(NetworkMessage, ASuccessorIsToldThatItIsOne) {
    size_t packets = 0;
    size_t longest = 0;
    EXPECT_TRUE(passed_on({.machine = "web", .ports = {}, .managed = {}, .again = true}, packets, longest).again);
}

TEST(NetworkMessage, AMessageIsAWordAndAText) {
    const auto message = parse_packet(as_packet(NetworkMessageKind::failed, "no\nwhy"));
    ASSERT_TRUE(message);
    EXPECT_EQ(message->kind, NetworkMessageKind::failed);
    EXPECT_EQ(message->text, "no\nwhy");
    EXPECT_FALSE(parse_packet("ready"));
    EXPECT_FALSE(parse_packet("Ready\n"));
    EXPECT_FALSE(parse_packet(""));
}

TEST(NetworkMessage, WhatIsNoRequest) {
    NetworkRequest request;
    EXPECT_FALSE(add_to_request(request, "port 0\n"));
    EXPECT_FALSE(add_to_request(request, "prot 80\n"));
    EXPECT_FALSE(add_to_request(request, "\n"));
    EXPECT_TRUE(add_to_request(request, "machine a b\n")) << "a value may have blanks";
    EXPECT_EQ(request.machine, "a b");
}

TEST(NetworkMessage, AManagedNetworkIsPassedOnWhole) {
    NetworkRequest request;
    request.machine = "web";
    request.managed = {.link = "vz-lab",
                       .container_link = "host0",
                       .dhcp = true,
                       .borrowed = false,
                       .gateways = {*parse_ip_prefix("10.160.4.1/22"), *parse_ip_prefix("fd01::1/64")},
                       .addresses = {*parse_ip_prefix("10.160.4.7/22")}};
    size_t packets = 0;
    size_t longest = 0;
    const NetworkRequest heard = passed_on(request, packets, longest);
    EXPECT_EQ(heard.managed.link, "vz-lab");
    EXPECT_EQ(heard.managed.container_link, "host0");
    EXPECT_TRUE(heard.managed.dhcp);
    EXPECT_FALSE(heard.managed.borrowed);
    EXPECT_EQ(heard.managed.gateways, request.managed.gateways);
    EXPECT_EQ(heard.managed.addresses, request.managed.addresses);
    EXPECT_TRUE(asks_for_something(heard));
    NetworkRequest broken;
    EXPECT_FALSE(add_to_request(broken, "managed-link a/b\n"));
    EXPECT_FALSE(add_to_request(broken, "managed-address web\n"));
}

} // namespace
} // namespace nspawn
