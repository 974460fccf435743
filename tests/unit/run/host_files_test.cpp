#include "run/host_files.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

TEST(LoopbackServers, OnlyWhenEveryServerIsOne) {
    EXPECT_TRUE(has_only_loopback_servers("nameserver 127.0.0.53\noptions edns0\n"));
    EXPECT_TRUE(has_only_loopback_servers("# a comment\nnameserver\t::1\nnameserver 127.0.0.1"));
    EXPECT_FALSE(has_only_loopback_servers("nameserver 127.0.0.53\nnameserver 10.0.0.1\n"));
    EXPECT_FALSE(has_only_loopback_servers("nameserver 1127.0.0.1\n"));
}

TEST(LoopbackServers, AFileWithoutServersHasNone) {
    EXPECT_FALSE(has_only_loopback_servers(""));
    EXPECT_FALSE(has_only_loopback_servers("nameserver\n#nameserver 127.0.0.1\nsearch 127.0.0.1\n"));
}

} // namespace
} // namespace nspawn
