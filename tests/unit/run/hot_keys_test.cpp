#include "run/hot_keys.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nspawn {
namespace {

using Action = HotKeys::Action;
using std::chrono::milliseconds;

class HotKeysTest : public testing::Test {
protected:
    // What happens to `typed`, the given time after the beginning.
    HotKeys::Found type(std::string_view typed, int milliseconds_after = 0) {
        return keys_.scan(typed, HotKeys::TimePoint() + std::chrono::hours(1) + milliseconds(milliseconds_after));
    }
    HotKeys keys_;
};

TEST_F(HotKeysTest, OrdinaryKeysPass) {
    const auto found = type("ls -l r p\r");
    EXPECT_EQ(found.action, Action::none);
    EXPECT_EQ(found.before, 10U);
    EXPECT_EQ(found.used, 10U);
}

TEST_F(HotKeysTest, ThreeTimesWithinASecondKills) {
    EXPECT_EQ(type("\x1d", 0).action, Action::none);
    EXPECT_EQ(type("\x1d", 500).action, Action::none);
    const auto found = type("\x1d", 1000);
    EXPECT_EQ(found.action, Action::kill);
    EXPECT_EQ(found.before, 0U);
    EXPECT_EQ(found.used, 1U);
}

TEST_F(HotKeysTest, AtOnceCountsToo) {
    const auto found = type("abc\x1d\x1d\x1dxyz");
    EXPECT_EQ(found.action, Action::kill);
    EXPECT_EQ(found.before, 5U) << "the first two are the container's as well";
    EXPECT_EQ(found.used, 6U);
}

TEST_F(HotKeysTest, TooSlowIsNothing) {
    type("\x1d", 0);
    type("\x1d", 600);
    EXPECT_EQ(type("\x1d", 1001).action, Action::none);
    EXPECT_EQ(type("\x1d", 1500).action, Action::kill) << "the last three were fast enough";
}

TEST_F(HotKeysTest, AnotherKeyInBetweenStartsAfresh) {
    EXPECT_EQ(type("\x1d\x1dx\x1d").action, Action::none);
    EXPECT_EQ(type("\x1d").action, Action::none);
    EXPECT_EQ(type("\x1d").action, Action::kill);
}

TEST_F(HotKeysTest, LettersAfterTwo) {
    EXPECT_EQ(type("\x1d\x1dr").action, Action::reboot);
    EXPECT_EQ(type("\x1d\x1dp").action, Action::power_off);
    EXPECT_EQ(type("\x1dr\x1dp").action, Action::none);
    EXPECT_EQ(type("\x1d\x1d", 5000).action, Action::none);
    EXPECT_EQ(type("r", 6001).action, Action::none);
}

TEST_F(HotKeysTest, TheSameKeysWorkAgain) {
    EXPECT_EQ(type("\x1d\x1d\x1d").action, Action::kill);
    EXPECT_EQ(type("\x1d").action, Action::none);
    EXPECT_EQ(type("\x1d\x1d").action, Action::kill);
}

} // namespace
} // namespace nspawn
