#include "names/local_names.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

IpPrefix prefix(const char* text) { return parse_ip_prefix(text).value(); }
IpAddress address(const char* text) { return parse_ip_address(text).value(); }

LocalNames sample() {
    LocalNames names;
    names.link = "vz-lab";
    names.host_name = "big.example";
    names.networks = {prefix("10.160.4.1/22"), prefix("fd01::1/64")};
    names.gateways = {address("10.160.4.1"), address("fd01::1")};
    names.machines = {{.machine = "Web",
                       .link = "vz-lab",
                       .gateways = {},
                       .addresses = {prefix("10.160.4.7/22"), prefix("fd01::7/64")}},
                      {.machine = "db", .link = "vz-lab", .gateways = {}, .addresses = {prefix("10.160.4.8/22")}},
                      {.machine = "fixed",
                       .link = "ve-fixed",
                       .gateways = {},
                       .addresses = {prefix("10.160.0.2/28")},
                       .fixed = {{"vz-lab", prefix("10.160.4.19/22")}, {"vz-other", prefix("10.9.9.9/24")}}}};
    return names;
}

std::optional<LocalAnswer> ask(const char* name, uint16_t type) {
    return answer_locally({name, type, dns::kClassInternet}, sample());
}

void expect_addresses(const char* name, uint16_t type, const std::vector<const char*>& expected) {
    const auto answer = ask(name, type);
    ASSERT_TRUE(answer) << name;
    EXPECT_EQ(answer->outcome, dns::Outcome::ok);
    ASSERT_EQ(answer->records.size(), expected.size()) << name;
    for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(answer->records[i].data, address_record(address(expected[i])).data) << name;
    }
}

TEST(LocalNames, MachinesHaveTheirNames) {
    expect_addresses("web", dns::kTypeA, {"10.160.4.7"});
    expect_addresses("web", dns::kTypeAaaa, {"fd01::7"});
    expect_addresses("web", dns::kTypeAny, {"10.160.4.7", "fd01::7"});
    // It exists, but has none of these.
    expect_addresses("db", dns::kTypeAaaa, {});
    expect_addresses("db", 16, {});
}

TEST(LocalNames, OnlyTheAddressesOnTheLinkAreTold) { expect_addresses("fixed", dns::kTypeAny, {"10.160.4.19"}); }

TEST(LocalNames, TheHostHasSeveral) {
    for (const char* name : {"host", "_gateway", "big.example"}) {
        expect_addresses(name, dns::kTypeA, {"10.160.4.1"});
        expect_addresses(name, dns::kTypeAaaa, {"fd01::1"});
    }
}

TEST(LocalNames, LocalhostIsWhoeverAsks) {
    expect_addresses("localhost", dns::kTypeA, {"127.0.0.1"});
    expect_addresses("www.localhost", dns::kTypeAaaa, {"::1"});
}

TEST(LocalNames, OthersAreNotOurs) {
    EXPECT_FALSE(ask("mail", dns::kTypeA));
    EXPECT_FALSE(ask("web.example.com", dns::kTypeA));
    EXPECT_FALSE(ask("", dns::kTypeA));
    EXPECT_FALSE(answer_locally({"web", dns::kTypeA, 3}, sample()));
}

TEST(LocalNames, AddressesOfTheNetworkHaveNames) {
    const auto name_of = [](const char* question) { return ask(question, dns::kTypePtr); };
    const auto web = name_of("7.4.160.10.in-addr.arpa");
    ASSERT_TRUE(web && web->records.size() == 1);
    EXPECT_EQ(web->records[0].data, pointer_record("Web")->data);
    const auto host = name_of("1.4.160.10.in-addr.arpa");
    ASSERT_TRUE(host && host->records.size() == 1);
    EXPECT_EQ(host->records[0].data, pointer_record("big.example")->data);
    const auto fixed = name_of("19.4.160.10.in-addr.arpa");
    ASSERT_TRUE(fixed && fixed->records.size() == 1);
    EXPECT_EQ(fixed->records[0].data, pointer_record("fixed")->data);
    const auto nobody = name_of("9.4.160.10.in-addr.arpa");
    ASSERT_TRUE(nobody);
    EXPECT_EQ(nobody->outcome, dns::Outcome::no_such_name);
    EXPECT_FALSE(name_of("1.0.0.127.in-addr.arpa"));
}

} // namespace
} // namespace nspawn
