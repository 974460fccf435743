#include "linux/id_map.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(IdRanges, DisjointOnesAreFine) {
    EXPECT_THAT(find_id_range_problem(IdRanges{{0, 100000, 65536}}), IsEmpty());
    EXPECT_THAT(find_id_range_problem(IdRanges{{0, 100000, 1000}, {1000, 1000, 1}, {1001, 101001, 64535}}), IsEmpty());
    EXPECT_THAT(find_id_range_problem(IdRanges{{0, 0, UINT32_MAX}}), IsEmpty()) << "all ids there are";
}

TEST(IdRanges, EmptyRange) { EXPECT_THAT(find_id_range_problem(IdRanges{{0, 5, 0}}), HasSubstr("0:5:0 is empty")); }

TEST(IdRanges, TheLastIdIsNoId) {
    EXPECT_THAT(find_id_range_problem(IdRanges{{0, UINT32_MAX - 1, 1}}), IsEmpty());
    EXPECT_THAT(find_id_range_problem(IdRanges{{0, UINT32_MAX, 1}}), HasSubstr("beyond 4294967294"));
    EXPECT_THAT(find_id_range_problem(IdRanges{{UINT32_MAX - 1, 0, 2}}), HasSubstr("beyond"));
    EXPECT_THAT(find_id_range_problem(IdRanges{{0, 4294967000, 65536}}), HasSubstr("beyond"));
}

TEST(IdRanges, OverlapInsideOrOutside) {
    EXPECT_THAT(find_id_range_problem(IdRanges{{0, 1000, 10}, {9, 5000, 1}}), HasSubstr("overlap"));
    EXPECT_THAT(find_id_range_problem(IdRanges{{0, 1000, 10}, {10, 1009, 1}}), HasSubstr("overlap"));
}

TEST(IdRanges, NoMoreThanTheKernelTakes) {
    IdRanges ranges;
    for (uint32_t i = 0; i < 341; ++i) {
        ranges.push_back({2 * i, 2 * i, 1});
    }
    EXPECT_THAT(find_id_range_problem(ranges), HasSubstr("341 ranges"));
    ranges.pop_back();
    EXPECT_THAT(find_id_range_problem(ranges), IsEmpty());
}

TEST(IdRanges, TranslateBothWays) {
    const IdRanges ranges = {{0, 100000, 1000}, {1000, 1000, 1}, {UINT32_MAX - 1, 7, 1}};
    EXPECT_EQ(id_outside(ranges, 0), 100000U);
    EXPECT_EQ(id_outside(ranges, 999), 100999U);
    EXPECT_EQ(id_outside(ranges, 1000), 1000U);
    EXPECT_EQ(id_outside(ranges, 1001), std::nullopt);
    EXPECT_EQ(id_outside(ranges, UINT32_MAX - 1), 7U);
    EXPECT_EQ(id_inside(ranges, 100999), 999U);
    EXPECT_EQ(id_inside(ranges, 1000), 1000U);
    EXPECT_EQ(id_inside(ranges, 0), std::nullopt);
    EXPECT_EQ(id_outside({}, 0), std::nullopt);
}

TEST(IdRanges, Text) {
    const IdRanges ranges = {{0, 100000, 1000}, {1000, 1000, 1}};
    EXPECT_EQ(id_map_text(ranges), "0 100000 1000\n1000 1000 1\n");
    EXPECT_EQ(describe_id_ranges(ranges), "0:100000:1000,1000:1000:1");
}

TEST(IdMap, Shifted) {
    const IdMap map = shifted_id_map(524288);
    EXPECT_EQ(map.users, (IdRanges{{0, 524288, 65536}}));
    EXPECT_EQ(map.groups, map.users);
    EXPECT_FALSE(map.empty());
    EXPECT_TRUE(IdMap{}.empty());
}

} // namespace
} // namespace nspawn
