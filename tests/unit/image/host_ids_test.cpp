#include "image/host_ids.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

TEST(HostIds, UsersAndGroups) {
    HostIds ids;
    ids.add_users("root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:\nfar:x:600000:600000::/:\n");
    EXPECT_TRUE(ids.any_of(0, 65536));
    EXPECT_TRUE(ids.any_of(589824, 65536)) << "600000 lies in it";
    EXPECT_FALSE(ids.any_of(524288, 65536));
    EXPECT_TRUE(ids.any_of(600000, 1));
    EXPECT_FALSE(ids.any_of(600001, 1));
}

TEST(HostIds, DelegatedRanges) {
    HostIds ids;
    ids.add_delegated("anna:524288:65536\nempty:700000:0\n");
    EXPECT_TRUE(ids.any_of(524288, 65536));
    EXPECT_TRUE(ids.any_of(524288 + 65535, 65536));
    EXPECT_FALSE(ids.any_of(524288 + 65536, 65536));
    EXPECT_FALSE(ids.any_of(700000, 1));
}

TEST(HostIds, BrokenLinesAreSkipped) {
    HostIds ids;
    ids.add_users("\n:::\nname\nname:x:abc:5\nname:x:99999999999999999999:5\n+\n");
    ids.add_delegated("a:b:c\na:1\na:99999999999:1\n");
    EXPECT_FALSE(ids.any_of(1, 65536));
}

TEST(HostIds, NameServicesThatAreMoreThanFiles) {
    EXPECT_FALSE(names_other_databases("passwd: files systemd\ngroup: files systemd\nhosts: files dns\n"));
    EXPECT_FALSE(names_other_databases("passwd: files [NOTFOUND=return] systemd # ldap\n"));
    EXPECT_FALSE(names_other_databases(""));
    EXPECT_TRUE(names_other_databases("passwd: files sss\n"));
    EXPECT_TRUE(names_other_databases("group:\tfiles ldap"));
}

} // namespace
} // namespace nspawn
