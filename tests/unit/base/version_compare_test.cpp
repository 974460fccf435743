#include "base/version_compare.hpp"

#include <gtest/gtest.h>

#include <array>

namespace nspawn {
namespace {

TEST(VersionCompare, OlderBeforeNewer) {
    // Each is older than the next.
    constexpr std::array kRising = {"~~1",   "~1",    "",     "a",   "alpha", "b",  "beta", "1~~",
                                    "1~rc1", "1~rc2", "1",    "1-1", "1-2",   "1^", "1^1",  "1.1",
                                    "1.2",   "1.2.3", "1.10", "1a",  "1b",    "2",  "10",   "123"};
    for (size_t i = 0; i + 1 < kRising.size(); ++i) {
        EXPECT_LT(compare_versions(kRising[i], kRising[i + 1]), 0) << kRising[i] << " " << kRising[i + 1];
        EXPECT_GT(compare_versions(kRising[i + 1], kRising[i]), 0) << kRising[i] << " " << kRising[i + 1];
    }
}

TEST(VersionCompare, WhatDoesNotCount) {
    EXPECT_EQ(compare_versions("1.2", "1.2"), 0);
    EXPECT_EQ(compare_versions("1.02", "1.2"), 0);
    EXPECT_EQ(compare_versions("a_1", "a1"), 0);
    EXPECT_EQ(compare_versions("1 ", "1"), 0);
    EXPECT_EQ(compare_versions("", ""), 0);
    EXPECT_LT(compare_versions("root_9", "root_10"), 0);
}

TEST(VersionCompare, NumbersOfAnyLength) {
    EXPECT_LT(compare_versions("99999999999999999999999999", "100000000000000000000000000"), 0);
    EXPECT_GT(compare_versions("20240102030405", "20240102030404"), 0);
}

TEST(VersionCompare, CapitalsBeforeSmallLetters) { EXPECT_LT(compare_versions("1A", "1a"), 0); }

} // namespace
} // namespace nspawn
