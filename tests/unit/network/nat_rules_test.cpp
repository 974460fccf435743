// The tables as the original makes them, and which port is an element of which.
#include "network/nat_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>

namespace nspawn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using Ports = std::vector<PublishedPort>;

ContainerAddresses addresses(const char* ipv4, const char* ipv6 = nullptr) {
    ContainerAddresses result;
    if (ipv4 != nullptr) {
        inet_pton(AF_INET, ipv4, &result.ipv4.emplace());
    }
    if (ipv6 != nullptr) {
        inet_pton(AF_INET6, ipv6, &result.ipv6.emplace());
    }
    return result;
}

std::vector<std::string> lines(const Ports& ports, const ContainerAddresses& where) {
    std::vector<std::string> result;
    for (const NatElement& element : elements_for(ports, where)) {
        result.push_back(as_line(element));
    }
    return result;
}

TEST(NatRules, TheSharedTableIsTheOriginals) {
    const std::string text = create_table(NatTable::shared, Family::ipv6);
    EXPECT_THAT(text, HasSubstr("create table ip6 io.systemd.nat\n"));
    EXPECT_THAT(text, HasSubstr("masq_saddr { type ipv6_addr; flags interval; }"));
    EXPECT_THAT(text, HasSubstr("inet_proto . inet_service : ipv6_addr . inet_service;"));
    EXPECT_THAT(text, HasSubstr("output ip6 daddr != ::1 oif \"lo\" dnat ip6 to meta l4proto . th dport map @"));
    EXPECT_THAT(create_table(NatTable::shared, Family::ipv4), HasSubstr("output ip daddr != 127.0.0.0/8 oif"));
    EXPECT_THAT(create_table(NatTable::own, Family::ipv4), Not(HasSubstr("io.systemd.nat")));
}

TEST(NatRules, APortLeadsToEachAddressOfTheContainer) {
    const Ports ports = {parse_port("8080:80"), parse_port("udp:53")};
    EXPECT_THAT(
        lines(ports, addresses("10.0.0.2", "fd00::2")),
        ElementsAre("ip io.systemd.nat tcp . 8080 : 10.0.0.2 . 80", "ip io.systemd.nat udp . 53 : 10.0.0.2 . 53",
                    "ip6 io.systemd.nat tcp . 8080 : fd00::2 . 80", "ip6 io.systemd.nat udp . 53 : fd00::2 . 53"));
    EXPECT_THAT(lines(ports, addresses(nullptr)), IsEmpty());
}

TEST(NatRules, ARangeIsItsPorts) {
    EXPECT_THAT(lines({parse_port("1000-1002:2000-2002")}, addresses("10.0.0.2")),
                ElementsAre("ip io.systemd.nat tcp . 1000 : 10.0.0.2 . 2000",
                            "ip io.systemd.nat tcp . 1001 : 10.0.0.2 . 2001",
                            "ip io.systemd.nat tcp . 1002 : 10.0.0.2 . 2002"));
}

TEST(NatRules, APortOfOneAddressIsInOurOwnTable) {
    const Ports ports = {parse_port("192.0.2.1:80"), parse_port("[2001:db8::1]:80"), parse_port("127.0.0.1:81"),
                         parse_port("0.0.0.0:82")};
    EXPECT_THAT(lines(ports, addresses("10.0.0.2", "fd00::2")),
                ElementsAre("ip io.systemd.nat tcp . 82 : 10.0.0.2 . 82",
                            "ip io.nspawn 192.0.2.1 . tcp . 80 : 10.0.0.2 . 80",
                            "ip6 io.nspawn 2001:db8::1 . tcp . 80 : fd00::2 . 80"));
    EXPECT_TRUE(needs_table(ports, NatTable::own, Family::ipv6));
    EXPECT_FALSE(needs_table(ports, NatTable::shared, Family::ipv6)) << "0.0.0.0 is every IPv4 address";
    const Ports local = {parse_port("127.0.0.1:81"), parse_port("[::1]:81")};
    EXPECT_FALSE(needs_table(local, NatTable::shared, Family::ipv4) || needs_table(local, NatTable::own, Family::ipv4));
}

TEST(NatRules, OneCommandForEachMap) {
    const auto elements = elements_for(Ports{parse_port("80-81"), parse_port("192.0.2.1:90")}, addresses("10.0.0.2"));
    EXPECT_EQ(change_elements("add", elements),
              "add element ip io.systemd.nat map_port_ipport { tcp . 80 : 10.0.0.2 . 80, tcp . 81 : 10.0.0.2 . 81 }\n"
              "add element ip io.nspawn address_ports { 192.0.2.1 . tcp . 90 : 10.0.0.2 . 90 }\n");
    EXPECT_EQ(change_elements("delete", {}), "");
}

TEST(NatRules, AnElementIsReadAsItWasWritten) {
    for (const NatElement& element :
         elements_for(Ports{parse_port("80"), parse_port("[2001:db8::1]:90/udp")}, addresses("10.0.0.2", "fd00::2"))) {
        EXPECT_EQ(parse_element(as_line(element)), element);
    }
    EXPECT_FALSE(parse_element("ip io.systemd.nat tcp . 80 : 1.2.3.4 . 80 }; flush ruleset"));
    EXPECT_FALSE(parse_element("ip filter tcp . 80 : 1.2.3.4 . 80"));
    EXPECT_FALSE(parse_element("ip io.systemd.nat tcp . 80"));
    EXPECT_FALSE(parse_element(""));
}

constexpr std::string_view kEmptyTable = R"({"nftables": [{"metainfo": {"version": "1.0.6"}},
  {"table": {"family": "ip", "name": "io.systemd.nat", "handle": 1}},
  {"set": {"family": "ip", "name": "masq_saddr", "table": "io.systemd.nat", "type": "ipv4_addr", "handle": 1}},
  {"map": {"family": "ip", "name": "map_port_ipport", "table": "io.systemd.nat", "handle": 2}},
  {"chain": {"family": "ip", "table": "io.systemd.nat", "name": "prerouting", "handle": 3}},
  {"rule": {"family": "ip", "table": "io.systemd.nat", "chain": "prerouting", "handle": 6, "expr": []}}MORE]})";

std::string table_with(std::string_view more) {
    std::string text(kEmptyTable);
    text.replace(text.find("MORE"), 4, more);
    return text;
}

TEST(NatRules, ATableIsOursToRemoveWhenNobodyUsesIt) {
    EXPECT_TRUE(is_unused(table_with("")));
    EXPECT_FALSE(is_unused(table_with(R"(, {"map": {"name": "map_port_ipport", "elem": [[1, 2]]}})")));
    EXPECT_FALSE(is_unused(table_with(R"(, {"set": {"name": "masq_saddr", "elem": ["10.0.0.0"]}})")));
    EXPECT_FALSE(is_unused(table_with(R"(, {"chain": {"name": "somebody_elses"}})")));
    EXPECT_FALSE(is_unused(table_with(R"(, {"rule": {}}, {"rule": {}}, {"rule": {}})")));
    EXPECT_FALSE(is_unused(""));
    EXPECT_FALSE(is_unused(R"({"nftables": []})"));
}

TEST(NatRules, PortsThatAreTakenAreFound) {
    const std::vector<std::string> wanted = {"tcp . 80", "udp . 53"};
    const std::string json = table_with(R"(, {"map": {"name": "map_port_ipport", "elem": [
        [{"concat": ["tcp", 80]}, {"concat": ["10.0.0.9", 8080]}],
        [{"concat": ["tcp", 53]}, {"concat": ["10.0.0.9", 53]}]]}})");
    const auto found = find_elements(json, NatTable::shared, Family::ipv4, wanted);
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found.front().key, "tcp . 80");
    EXPECT_EQ(found.front().value, "10.0.0.9 . 8080");
}

} // namespace
} // namespace nspawn
