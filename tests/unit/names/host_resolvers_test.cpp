#include "base/file.hpp"
#include "names/host_resolvers.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>

namespace nspawn {
namespace {

std::vector<std::string> resolvers(std::string_view text) {
    std::vector<std::string> result;
    for (const Resolver& resolver : parse_resolvers(text)) {
        result.push_back(format_ip_address(resolver.address));
    }
    return result;
}

using Names = std::vector<std::string>;

TEST(HostResolvers, ReadsNameServersInOrder) {
    EXPECT_EQ(resolvers("# comment\nsearch example.com\nnameserver 192.0.2.1\nnameserver\t2001:db8::1\n"),
              (Names{"192.0.2.1", "2001:db8::1"}));
    EXPECT_EQ(resolvers("nameserver 192.0.2.1 # that one\r\n"), Names{"192.0.2.1"});
}

TEST(HostResolvers, TakesThree) {
    EXPECT_EQ(resolvers("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n"),
              (Names{"1.1.1.1", "1.1.1.2", "1.1.1.3"}));
}

TEST(HostResolvers, WithoutOneItIsTheHostItself) {
    EXPECT_EQ(resolvers(""), Names{"127.0.0.1"});
    EXPECT_EQ(resolvers("nameserver\nnameserver example.com\noptions edns0\nnameserver 1.2.3\n"), Names{"127.0.0.1"});
}

TEST(HostResolvers, ScopesAreInterfaces) {
    const auto found = parse_resolvers("nameserver fe80::1%lo\n");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].scope, 1U);
}

TEST(HostResolvers, AChangedFileIsReadAgainAndOurselvesAreLeftOut) {
    const std::string path = testing::TempDir() + "/resolvers-test.conf";
    const auto write = [&](std::string_view text) {
        const UniqueFd file = open_at(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600).or_throw("");
        write_all(file.get(), text).or_throw("");
        static time_t times = 1;
        const timespec stamps[2] = {{++times, 0}, {times, 0}};
        ASSERT_EQ(futimens(file.get(), stamps), 0);
    };
    write("nameserver 192.0.2.1\nnameserver 10.160.4.1\n");
    HostResolvers host(path, {*parse_ip_address("10.160.4.1")});
    ASSERT_EQ(host.current().size(), 1U);
    write("nameserver 192.0.2.2\n");
    ASSERT_EQ(host.current().size(), 1U);
    EXPECT_EQ(format_ip_address(host.current()[0].address), "192.0.2.2");
    ::unlink(path.c_str());
    EXPECT_EQ(format_ip_address(host.current()[0].address), "127.0.0.1");
}

} // namespace
} // namespace nspawn
