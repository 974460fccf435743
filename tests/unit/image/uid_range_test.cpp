#include "image/uid_range.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace nspawn {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

struct Choice {
    std::optional<uint32_t> base;
    std::vector<uint32_t> tried;
};

// With random numbers that count up from one, and where only `free` is free (nothing, if 0).
Choice choose(std::string_view machine, uint32_t tree_owner, uint32_t free) {
    Choice choice;
    uint32_t counter = 0;
    const auto random = [&counter] { return ++counter << 16; };
    const auto take = [&choice, free](uint32_t base) {
        choice.tried.push_back(base);
        return base == free;
    };
    choice.base = choose_uid_base(machine, tree_owner, random, take);
    return choice;
}

// What systemd-nspawn 252 was seen to take for a machine of this name.
constexpr uint32_t kOfNameLab = 497090560;

TEST(UidRange, TheNamesRangeIsTheOriginals) {
    EXPECT_THAT(choose("lab", 0, kOfNameLab).tried, ElementsAre(kOfNameLab));
}

TEST(UidRange, TheTreesOwnRangeComesFirst) {
    const Choice choice = choose("lab", 655360 + 17, kOfNameLab);
    EXPECT_THAT(choice.tried, ElementsAre(655360, kOfNameLab));
    EXPECT_EQ(choice.base, kOfNameLab);
}

TEST(UidRange, AnOwnerOutsideOfContainersRangesIsNoCandidate) {
    EXPECT_THAT(choose("lab", 1000, kOfNameLab).tried, ElementsAre(kOfNameLab));
    EXPECT_THAT(choose("lab", kFirstContainerBase - 1, kOfNameLab).tried, ElementsAre(kOfNameLab));
    EXPECT_THAT(choose("lab", kLastContainerBase + 65536, kOfNameLab).tried, ElementsAre(kOfNameLab));
    EXPECT_THAT(choose("lab", kLastContainerBase, kOfNameLab).tried, SizeIs(2));
}

TEST(UidRange, ThenRandomOnesWithinBounds) {
    const Choice choice = choose("lab", 0, kFirstContainerBase + (3U << 16));
    EXPECT_THAT(choice.tried, ElementsAre(kOfNameLab, kFirstContainerBase + (1U << 16),
                                          kFirstContainerBase + (2U << 16), kFirstContainerBase + (3U << 16)));
    for (const uint32_t base : choose("lab", 0, 0).tried) {
        EXPECT_GE(base, kFirstContainerBase);
        EXPECT_LE(base, kLastContainerBase);
        EXPECT_EQ(base % 65536, 0U);
    }
}

TEST(UidRange, GivesUpAfterNinetyNine) {
    const Choice choice = choose("lab", 655360, 0);
    EXPECT_EQ(choice.base, std::nullopt);
    EXPECT_THAT(choice.tried, SizeIs(99));
}

} // namespace
} // namespace nspawn
