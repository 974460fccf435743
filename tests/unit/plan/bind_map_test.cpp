#include "base/error.hpp"
#include "plan/bind_map.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

const IdMap kShifted = shifted_id_map(0x80000);

CustomMount with(BindMapping mapping) {
    CustomMount mount;
    mount.mapping = mapping;
    return mount;
}

TEST(BindMap, WithoutAnOptionThereIsNone) {
    EXPECT_TRUE(bind_id_map(with(BindMapping::none), kShifted, {1000, 1000}, {}).empty());
}

TEST(BindMap, SameIdsAreTheContainersOwnMap) {
    EXPECT_EQ(bind_id_map(with(BindMapping::same), kShifted, {1000, 1000}, {}), kShifted);
    EXPECT_TRUE(bind_id_map(with(BindMapping::same), {}, {1000, 1000}, {}).empty());
}

TEST(BindMap, TheOwnerOfTheSourceBecomesRoot) {
    const IdMap map = bind_id_map(with(BindMapping::root), kShifted, {1000, 100}, {7, 7});
    EXPECT_EQ(map.users, (IdRanges{{1000, 0x80000, 1}}));
    EXPECT_EQ(map.groups, (IdRanges{{100, 0x80000, 1}}));
}

TEST(BindMap, TheOwnerOfTheSourceBecomesTheOwnerOfTheDestination) {
    const IdMap map = bind_id_map(with(BindMapping::owner), kShifted, {1000, 100}, {33, 34});
    EXPECT_EQ(map.users, (IdRanges{{1000, 0x80000 + 33, 1}}));
    EXPECT_EQ(map.groups, (IdRanges{{100, 0x80000 + 34, 1}}));
}

TEST(BindMap, WithoutPrivateUsersIdsOfTheContainerAreThoseOfTheHost) {
    CustomMount mount = with(BindMapping::user);
    mount.user = 5;
    mount.group = 6;
    const IdMap map = bind_id_map(mount, {}, {1000, 100}, {});
    EXPECT_EQ(map.users, (IdRanges{{1000, 5, 1}}));
    EXPECT_EQ(map.groups, (IdRanges{{100, 6, 1}}));
}

TEST(BindMap, RangesAreCutWhereTheContainersAre) {
    const IdMap container{{{0, 100000, 1000}, {1000, 1000, 1}, {1001, 200000, 10}}, {{0, 100000, 65536}}};
    CustomMount mount = with(BindMapping::ranges);
    mount.ranges = {{999, 50, 3}};
    const IdMap map = bind_id_map(mount, container, {}, {});
    EXPECT_EQ(map.users, (IdRanges{{50, 100999, 1}, {51, 1000, 1}, {52, 200000, 1}}));
    EXPECT_EQ(map.groups, (IdRanges{{50, 100999, 3}}));
}

TEST(BindMap, AnIdThatTheContainerDoesNotHaveIsRefused) {
    CustomMount mount = with(BindMapping::ranges);
    mount.ranges = {{65535, 0, 2}};
    EXPECT_THROW(bind_id_map(mount, kShifted, {}, {}), Error);
    mount = with(BindMapping::user);
    mount.user = 70000;
    EXPECT_THROW(bind_id_map(mount, kShifted, {}, {}), Error);
}

} // namespace
} // namespace nspawn
