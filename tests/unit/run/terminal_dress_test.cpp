#include "base/error.hpp"
#include "run/terminal_dress.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace nspawn {
namespace {

using Traits = TerminalTraits;

Traits capable() {
    Traits traits;
    traits.is_capable = true;
    traits.colors = Traits::Colors::all;
    traits.ground = Traits::Ground::dark;
    return traits;
}

DressOptions options() {
    DressOptions options;
    options.machine = "web";
    options.host = "here";
    options.terminal = capable();
    return options;
}

// What the terminal gets when the container writes `output`, in the given pieces.
std::string dressed(const std::vector<std::string>& output) {
    DressOptions wanted = options();
    wanted.background = "44";
    TerminalDress dress(wanted);
    std::string result;
    for (const std::string& piece : output) {
        const size_t before = result.size();
        dress.pass(piece, [&result](std::string_view part) { result += part; });
        EXPECT_LE(result.size() - before, piece.size() * dress.growth());
    }
    return result;
}
const std::string kTint = "\x1b[44m";

TEST(TerminalDress, WithoutATintTheOutputIsNotTouched) {
    TerminalDress dress;
    std::vector<std::string> pieces;
    dress.pass("a\x1b[0mb\x1b"
               "c",
               [&pieces](std::string_view part) { pieces.emplace_back(part); });
    EXPECT_EQ(pieces, std::vector<std::string>{"a\x1b[0mb\x1b"
                                               "c"});
    EXPECT_EQ(dress.growth(), 1U);
    EXPECT_EQ(dress.opening() + dress.closing(), "");
}

struct Case {
    const char* output;
    const char* with_tint; // T stands for the tint
};
class Tint : public testing::TestWithParam<Case> {
protected:
    static std::string expected() {
        std::string text = GetParam().with_tint;
        for (size_t at = 0; (at = text.find('T', at)) != std::string::npos; at += kTint.size()) {
            text.replace(at, 1, kTint);
        }
        return text;
    }
};

TEST_P(Tint, FollowsWhatResetsTheBackground) { EXPECT_EQ(dressed({GetParam().output}), expected()); }
TEST_P(Tint, DoesSoAlsoWhenTheOutputComesByteByByte) {
    std::vector<std::string> bytes;
    for (const char c : std::string(GetParam().output)) {
        bytes.emplace_back(1, c);
    }
    EXPECT_EQ(dressed(bytes), expected());
}

INSTANTIATE_TEST_SUITE_P(
    Sequences, Tint,
    testing::Values(
        Case{"plain text\r\n\xf0\x9f\x94\xb5", "plain text\r\n\xf0\x9f\x94\xb5"}, Case{"a\x1b[0mb", "a\x1b[0mTb"},
        Case{"a\x1b[mb", "a\x1b[mTb"}, Case{"\x1b[49m.", "\x1b[49mT."}, Case{"\x1b[1;0;31m.", "\x1b[1;0;31mT."},
        Case{"\x1b[;1m.", "\x1b[;1mT."},
        // A background of the container's own stays.
        Case{"\x1b[41m.", "\x1b[41m."}, Case{"\x1b[0;41m.", "\x1b[0;41m."}, Case{"\x1b[0;104m.", "\x1b[0;104m."},
        Case{"\x1b[0;48;5;0m.", "\x1b[0;48;5;0m."}, Case{"\x1b[41;0m.", "\x1b[41;0mT."},
        // Zeros that are part of a colour are no reset.
        Case{"\x1b[38;5;0m.", "\x1b[38;5;0m."}, Case{"\x1b[38;2;0;0;0m.", "\x1b[38;2;0;0;0m."},
        Case{"\x1b[38;2;0;0;0;49m.", "\x1b[38;2;0;0;0;49mT."}, Case{"\x1b[38:2::0:0:0m.", "\x1b[38:2::0:0:0m."},
        Case{"\x1b[4:0m.", "\x1b[4:0m."}, Case{"\x1b[38m\x1b[38;5m.", "\x1b[38m\x1b[38;5m."},
        // Other sequences with an m, private ones, and resets of the whole terminal.
        Case{"\x1b[>4;1m\x1b[?0m.", "\x1b[>4;1m\x1b[?0m."}, Case{"\x1b[2J\x1b[K\x1b[1;1H", "\x1b[2J\x1b[K\x1b[1;1H"},
        Case{"\x1b"
             "c.",
             "\x1b"
             "cT."},
        Case{"\x1b[!p.", "\x1b[!pT."}, Case{"\x1b(B0m.", "\x1b(B0m."},
        // Strings are not looked into; what ends them, and what breaks a sequence off.
        Case{"\x1b]0;[0m\a\x1b[0m", "\x1b]0;[0m\a\x1b[0mT"}, Case{"\x1bP\x1b\\\x1b[0m", "\x1bP\x1b\\\x1b[0mT"},
        Case{"\x1b]0;t\x1b[0m", "\x1b]0;t\x1b[0mT"},
        Case{"\x1b[\x18"
             "0m\x1b[0m",
             "\x1b[\x18"
             "0m\x1b[0mT"},
        Case{"\x1b[1\x1b[0m", "\x1b[1\x1b[0mT"}, Case{"\x1b[0\nm", "\x1b[0\nmT"}, Case{"\x1b\x1b[0m", "\x1b\x1b[0mT"}));

TEST(TerminalDress, AnEndlessSequenceIsPassedOn) {
    const std::string endless = "\x1b[" + std::string(5000, '0') + "m";
    EXPECT_EQ(dressed({endless, "\x1b[0m"}), endless + "\x1b[0m" + kTint);
}

TEST(TerminalDress, WhatIsOpenedIsClosed) {
    const TerminalDress dress(options());
    EXPECT_EQ(dress.opening(), "\x1b[22;0t\x1b]0;Container web on here\a\x1b[48;2;10;18;48m\x1b[J");
    EXPECT_EQ(dress.closing(), "\x1b[0m\x1b[J\x1b]0;\a\x1b[23;0t");
}

TEST(TerminalDress, TheTitleCannotCarrySequences) {
    DressOptions wanted = options();
    wanted.host = "evil\x1b]0;x\a";
    EXPECT_EQ(TerminalDress(wanted).opening().find("evil\x1b"), std::string::npos);
}

TEST(TerminalDress, EachPartCanBeTurnedOff) {
    DressOptions wanted = options();
    wanted.title = false;
    wanted.tint = false;
    EXPECT_EQ(TerminalDress(wanted).opening() + TerminalDress(wanted).closing(), "");
    wanted.title = true;
    wanted.terminal.is_utf8 = true;
    EXPECT_EQ(TerminalDress(wanted).opening(), "\x1b[22;0t\x1b]0;🔵 Container web on here\a");
}

TEST(ChooseTint, TheDefaultSuitsAKnownBackgroundOnly) {
    DressOptions wanted = options();
    EXPECT_EQ(choose_tint(wanted), "48;2;10;18;48");
    wanted.terminal.ground = Traits::Ground::light;
    EXPECT_EQ(choose_tint(wanted), "48;2;222;230;250");
    wanted.terminal.colors = Traits::Colors::many;
    EXPECT_EQ(choose_tint(wanted), "48;5;189");
    wanted.terminal.colors = Traits::Colors::sixteen;
    EXPECT_EQ(choose_tint(wanted), "");
    wanted.terminal = capable();
    wanted.terminal.ground = Traits::Ground::unknown;
    EXPECT_EQ(choose_tint(wanted), "");
    wanted.terminal = capable();
    wanted.terminal.wants_no_color = true;
    EXPECT_EQ(choose_tint(wanted), "");
}

TEST(ChooseTint, WhatWasAskedForBeatsEverythingButAPrinter) {
    DressOptions wanted = options();
    wanted.tint = false;
    wanted.terminal.wants_no_color = true;
    wanted.background = "48;2;1;2;3";
    EXPECT_EQ(choose_tint(wanted), "48;2;1;2;3");
    wanted.terminal = {};
    EXPECT_EQ(choose_tint(wanted), "");
    wanted.terminal = capable();
    wanted.background = "";
    EXPECT_EQ(choose_tint(wanted), "");
}

TEST(ChooseTint, RefusesWhatIsNoColour) {
    DressOptions wanted = options();
    for (const std::string& wrong : {std::string("blue"), std::string("44m\x1b"), std::string(100, '4')}) {
        wanted.background = wrong;
        EXPECT_THROW(choose_tint(wanted), Error) << wrong;
    }
}

class Environment : public testing::Test {
protected:
    void SetUp() override {
        for (const char* const name : {"TERM", "COLORTERM", "NO_COLOR", "COLORFGBG", "LC_ALL", "LC_CTYPE", "LANG"}) {
            unsetenv(name);
        }
    }
    static void set(const char* name, const char* value) { setenv(name, value, 1); }
};

TEST_F(Environment, NothingIsExpectedOfAnUnknownTerminal) {
    EXPECT_FALSE(Traits::from_environment().is_capable);
    set("TERM", "dumb");
    set("COLORTERM", "truecolor");
    EXPECT_FALSE(Traits::from_environment().is_capable);
    EXPECT_EQ(Traits::from_environment().colors, Traits::Colors::none);
}

TEST_F(Environment, TheLinuxConsoleHasColoursButNoTitle) {
    set("TERM", "linux");
    EXPECT_FALSE(Traits::from_environment().is_capable);
    EXPECT_EQ(Traits::from_environment().colors, Traits::Colors::sixteen);
}

TEST_F(Environment, ACapableTerminalIsKnownByItsNameOrItsColours) {
    set("TERM", "xterm-256color");
    EXPECT_TRUE(Traits::from_environment().is_capable);
    EXPECT_EQ(Traits::from_environment().colors, Traits::Colors::many);
    set("TERM", "brand-new");
    EXPECT_FALSE(Traits::from_environment().is_capable);
    set("COLORTERM", "truecolor");
    EXPECT_TRUE(Traits::from_environment().is_capable);
    EXPECT_EQ(Traits::from_environment().colors, Traits::Colors::all);
}

TEST_F(Environment, TheGroundIsTheLastField) {
    set("TERM", "xterm");
    const auto ground = [](const char* value) {
        set("COLORFGBG", value);
        return Traits::from_environment().ground;
    };
    EXPECT_EQ(ground("15;0"), Traits::Ground::dark);
    EXPECT_EQ(ground("0;default;15"), Traits::Ground::light);
    EXPECT_EQ(ground("12;8"), Traits::Ground::dark);
    EXPECT_EQ(ground("0;7"), Traits::Ground::light);
    EXPECT_EQ(ground("15;default"), Traits::Ground::unknown);
    EXPECT_EQ(ground("15;16"), Traits::Ground::unknown);
    EXPECT_EQ(ground("0"), Traits::Ground::unknown);
    EXPECT_EQ(ground(""), Traits::Ground::unknown);
}

TEST_F(Environment, NoColorAndLocale) {
    set("TERM", "xterm");
    EXPECT_FALSE(Traits::from_environment().wants_no_color);
    set("NO_COLOR", "");
    EXPECT_FALSE(Traits::from_environment().wants_no_color) << "empty is as unset, no-color.org";
    set("NO_COLOR", "1");
    EXPECT_TRUE(Traits::from_environment().wants_no_color);
    EXPECT_FALSE(Traits::from_environment().is_utf8);
    set("LANG", "de_DE.UTF-8");
    EXPECT_TRUE(Traits::from_environment().is_utf8);
    set("LC_ALL", "C");
    EXPECT_FALSE(Traits::from_environment().is_utf8);
}

} // namespace
} // namespace nspawn
