#include "base/text.hpp"
#include "config/help.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

size_t longest_line(std::string_view text) {
    size_t longest = 0;
    for (const std::string_view line : split(text, '\n')) {
        longest = std::max(longest, line.size());
    }
    return longest;
}

TEST(Help, NamesEveryOptionOfTheCommandLine) {
    const std::string text = help_text(kDefaultWidth);
    for (const Option& option : option_table()) {
        if (option.name.empty() && option.letter != '\0') {
            EXPECT_THAT(text, HasSubstr("  " + display_name(option) + " ")) << option.help;
            continue;
        }
        if (option.name.empty()) {
            EXPECT_THAT(text, Not(HasSubstr(std::string(option.help)))) << option.setting;
            continue;
        }
        EXPECT_THAT(text, HasSubstr("--" + std::string(option.name)));
        EXPECT_FALSE(option.help.empty()) << option.name;
    }
}

TEST(Help, FitsTheWidth) {
    for (const unsigned width : {56U, 80U, 100U}) {
        EXPECT_LE(longest_line(help_text(width)), width + 2) << "columns, but for multi-byte characters";
    }
    EXPECT_LE(longest_line(help_text(40)), 44U);
    EXPECT_LE(longest_line(help_text(10'000)), 142U);
}

TEST(Help, EndsEachTextWithOneLineEnd) {
    for (const std::string& text : {help_text(80), version_text()}) {
        EXPECT_TRUE(text.ends_with('\n'));
        EXPECT_FALSE(text.ends_with("\n\n"));
    }
}

TEST(Help, SpellsOptionsAsTheyAreTyped) {
    EXPECT_EQ(option_spelling(*find_option("directory")), "-D --directory=PATH");
    EXPECT_EQ(option_spelling(*find_option("volatile")), "   --volatile[=MODE]");
    EXPECT_EQ(option_spelling(*find_option("version")), "   --version");
}

TEST(Help, WrapsAtBlanksOnly) {
    EXPECT_EQ(wrapped("aa bb cc", 5, 2), "aa bb\n  cc");
    EXPECT_EQ(wrapped("a-word-longer-than-the-line b", 5, 0), "a-word-longer-than-the-line\nb");
    EXPECT_EQ(wrapped("  ", 5, 0), "");
}

TEST(Help, EveryRowHasAPlaceInTheListOfSections) {
    for (const Option& option : option_table()) {
        EXPECT_THAT(help_sections(), ::testing::Contains(option.section)) << option.name;
    }
}

TEST(Version, SaysWhatThisBuildHas) {
    const std::string text = version_text();
    EXPECT_THAT(text, StartsWith("nspawn "));
    EXPECT_THAT(text, HasSubstr(find_option("system-call-filter") != nullptr ? "+SECCOMP" : "-SECCOMP"));
    EXPECT_THAT(text, HasSubstr(find_option("private-network") != nullptr ? "+NETWORK" : "-NETWORK"));
}

TEST(TerminalWidth, IsTheDefaultWithoutATerminal) { EXPECT_EQ(terminal_width(-1), kDefaultWidth); }

} // namespace
} // namespace nspawn
