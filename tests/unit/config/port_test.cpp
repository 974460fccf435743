// The grammar of --port=, and which ports cannot be published side by side.
#include "base/error.hpp"
#include "config/port.hpp"
#include "saying.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

namespace nspawn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string problem(std::string_view text) {
    try {
        (void)parse_port(text);
    } catch (const Error& error) {
        return error.message();
    }
    return "";
}

std::string rewritten(std::string_view text) { return format_port(parse_port(text)); }

TEST(Port, TheFormsOfTheOriginal) {
    EXPECT_EQ(parse_port("80"), (PublishedPort{PortProtocol::tcp, "", 80, 80, 1}));
    EXPECT_EQ(parse_port("8080:80"), (PublishedPort{PortProtocol::tcp, "", 8080, 80, 1}));
    EXPECT_EQ(parse_port("tcp:80"), (PublishedPort{PortProtocol::tcp, "", 80, 80, 1}));
    EXPECT_EQ(parse_port("udp:53:5353"), (PublishedPort{PortProtocol::udp, "", 53, 5353, 1}));
    EXPECT_EQ(parse_port("65535:1").host, 65535);
}

TEST(Port, AddressesRangesAndAProtocolBehind) {
    EXPECT_EQ(parse_port("127.0.0.1:8080:80"), (PublishedPort{PortProtocol::tcp, "127.0.0.1", 8080, 80, 1}));
    EXPECT_EQ(parse_port("[::1]:8080/udp"), (PublishedPort{PortProtocol::udp, "::1", 8080, 8080, 1}));
    EXPECT_EQ(parse_port("[2001:DB8:0:0::1]:80").address, "2001:db8::1") << "canonical";
    EXPECT_EQ(parse_port("8000-8010:9000-9010"), (PublishedPort{PortProtocol::tcp, "", 8000, 9000, 11}));
    EXPECT_EQ(parse_port("8000-8010"), (PublishedPort{PortProtocol::tcp, "", 8000, 8000, 11}));
    EXPECT_EQ(parse_port("udp:10.0.0.1:53"), (PublishedPort{PortProtocol::udp, "10.0.0.1", 53, 53, 1}));
    EXPECT_EQ(parse_port("1-65535").count, 65535);
}

TEST(Port, WhatIsNone) {
    for (const std::string_view text : {"",       "0",         "65536",        "http",       "-1",
                                        "+80",    "0x50",      " 80",          "80 ",        "80:",
                                        ":80",    "80:0",      "tcp:",         "tcp::80",    "tcp:udp:80",
                                        "TCP:80", "80:90:100", "000080",       "80-",        "-",
                                        "[::1]",  "[::1]80",   "[1.2.3.4]:80", "1.2.3:80",   "1.2.3.4.5:80",
                                        "::1:80", "80/",       "80/sctp",      "tcp:80/udp", "tcp:80/tcp",
                                        "80-79",  "80-81:90",  "80:90-91"}) {
        EXPECT_NE(problem(text), "") << text;
    }
    EXPECT_EQ(problem("99999"), "'99999': not a port number (1 to 65535)");
    EXPECT_EQ(problem("80/sctp"), "'sctp': not a protocol, only tcp and udp can be published");
    EXPECT_EQ(problem("80-82:90-91"), "'80-82:90-91': 3 ports of the host cannot be 2 of the container");
    EXPECT_EQ(problem(std::string_view("1.2.3.4\0:80", 11)), "'1.2.3.4\\x00': not an IPv4 address");
}

TEST(Port, WhatIsWrittenIsReadAgain) {
    EXPECT_EQ(rewritten("80"), "tcp:80:80");
    EXPECT_EQ(rewritten("[::1]:80-82:90-92/udp"), "udp:[::1]:80-82:90-92");
    for (const std::string_view text : {"80", "udp:1:2", "10.0.0.1:1-3:2-4", "[fd00::1]:5/udp"}) {
        EXPECT_EQ(parse_port(rewritten(text)), parse_port(text));
    }
}

TEST(Port, OnePortBelongsToOne) {
    const auto overlaps = [](std::string_view a, std::string_view b) {
        return overlap(parse_port(a), parse_port(b)) && overlap(parse_port(b), parse_port(a));
    };
    EXPECT_TRUE(overlaps("80", "tcp:80:81"));
    EXPECT_FALSE(overlaps("80", "udp:80"));
    EXPECT_FALSE(overlaps("80", "81:80"));
    EXPECT_TRUE(overlaps("80-90", "90-91"));
    EXPECT_FALSE(overlaps("80-89", "90-91"));
    EXPECT_TRUE(overlaps("80", "10.0.0.1:80"));
    EXPECT_FALSE(overlaps("10.0.0.2:80", "10.0.0.1:80"));
    EXPECT_TRUE(overlaps("0.0.0.0:80", "10.0.0.1:80"));
    EXPECT_FALSE(overlaps("0.0.0.0:80", "[::]:80"));
}

TEST(Port, BesideOthers) {
    const std::vector<PublishedPort> others = {parse_port("80"), parse_port("1000-5000")};
    const auto reason = [&](std::string_view text) {
        try {
            check_beside(parse_port(text), others);
        } catch (const Error& error) {
            return std::make_pair(error.code(), error.message());
        }
        return std::make_pair(0, std::string());
    };
    EXPECT_EQ(reason("81").first, 0);
    EXPECT_EQ(reason("80"), std::make_pair(EEXIST, std::string("tcp:80:80 is published already")));
    EXPECT_EQ(reason("80:81"), std::make_pair(EEXIST, std::string("the port is published already, by tcp:80:80")));
    EXPECT_EQ(reason("6000-6200").first, E2BIG);
}

TEST(Port, AnOptionWithAPrivateNetwork) {
    EXPECT_EQ(Saying({"--private-network", "-p", "80", "--port=udp:80"}).config().ports.size(), 2);
    EXPECT_THAT(Saying({"-p", "80"}).problem(), HasSubstr("needs a private network"));
    EXPECT_THAT(Saying({"--private-network", "-p", "80", "-p", "80:81"}).problem(), HasSubstr("published already"));
}

TEST(Port, InSettingsFiles) {
    Saying saying({"--private-network"});
    saying.trusted("Network.Port=80").trusted("Network.Port=80:81").trusted("Network.Port=udp:80");
    EXPECT_EQ(saying.config().ports.size(), 2) << "one that is there already is left out";
    EXPECT_THAT(saying.warnings(), ElementsAre(HasSubstr("published already")));
    EXPECT_TRUE(Saying({"--private-network"}).untrusted("Network.Port=80").config().ports.empty());
    const Config both = Saying({"--private-network", "-p", "81"}).trusted("Network.Port=80").config();
    EXPECT_THAT(both.ports, ElementsAre(parse_port("81"))) << "the command line's replace them";
    EXPECT_THAT(Saying().trusted("Network.Port=80").problem(), HasSubstr("needs a private network"));
}

} // namespace
} // namespace nspawn
