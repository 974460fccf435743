#include "base/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TakeUntil, TakesTheSeparatorWithIt) {
    std::string_view text = "one,,three";
    EXPECT_EQ(take_until(text, ','), "one");
    EXPECT_EQ(take_until(text, ','), "");
    EXPECT_EQ(text, "three");
    EXPECT_EQ(take_until(text, ','), "three");
    EXPECT_TRUE(text.empty());
    EXPECT_EQ(take_until(text, ','), "");
}

TEST(SplitWords, HonoursQuotesAndEscapes) {
    EXPECT_THAT(*split_words(R"(a "b c" 'd"e' f\x20g h\ti)"), ElementsAre("a", "b c", "d\"e", "f g", "h\ti"));
    EXPECT_THAT(*split_words("  "), IsEmpty());
    EXPECT_THAT(*split_words("''"), ElementsAre(""));
}

TEST(SplitWords, RefusesOpenQuotesAndUnknownEscapes) {
    EXPECT_FALSE(split_words("a \"b"));
    EXPECT_FALSE(split_words("\\q"));
    EXPECT_FALSE(split_words("\\x4"));
    EXPECT_FALSE(split_words("\\ud800"));
}

TEST(UnescapeC, YieldsAnyByte) {
    EXPECT_EQ(*unescape_c("a\\x00b\\101"), std::string("a\0bA", 4));
    EXPECT_EQ(*unescape_c("\\u00e9"), "\xc3\xa9");
    EXPECT_FALSE(unescape_c("\\"));
    EXPECT_FALSE(unescape_c("\\400"));
}

TEST(ParseBoolean, KnowsTheManualsWords) {
    for (const char* word : {"1", "yes", "Y", "true", "T", "ON"}) {
        EXPECT_EQ(parse_boolean(word), true) << word;
    }
    for (const char* word : {"0", "no", "N", "false", "F", "off"}) {
        EXPECT_EQ(parse_boolean(word), false) << word;
    }
    EXPECT_FALSE(parse_boolean(""));
    EXPECT_FALSE(parse_boolean("2"));
}

TEST(ParseNumbers, RefuseWhatIsNotWhollyANumber) {
    EXPECT_EQ(parse_unsigned("18446744073709551615"), UINT64_MAX);
    EXPECT_FALSE(parse_unsigned("18446744073709551616"));
    EXPECT_FALSE(parse_unsigned("-1"));
    EXPECT_FALSE(parse_unsigned("1 "));
    EXPECT_FALSE(parse_unsigned(""));
    EXPECT_EQ(parse_signed("-5"), -5);
    EXPECT_EQ(parse_signed("+5"), 5);
    EXPECT_FALSE(parse_signed("+-5"));
}

TEST(Printable, LetsNoControlCharacterReachTheTerminal) {
    EXPECT_EQ(printable("a\x1b[31m\n"), "a\\x1b[31m\\x0a");
    EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");
    EXPECT_EQ(printable("\xff"), "\\xff");
    EXPECT_EQ(printable("Gr\xc3\xbc\xc3\x9f"), "Gr\xc3\xbc\xc3\x9f");
}

TEST(ShellQuote, QuotesOnlyWhatNeedsIt) {
    EXPECT_EQ(shell_quote("/bin/true"), "/bin/true");
    EXPECT_EQ(shell_quote("a b"), "'a b'");
    EXPECT_EQ(shell_quote("it's"), "'it'\\''s'");
    EXPECT_EQ(shell_quote(""), "''");
    EXPECT_EQ(shell_quote("~"), "'~'");
    EXPECT_EQ(shell_quote("~root/x"), "'~root/x'");
    EXPECT_EQ(shell_quote("A=~"), "'A=~'");
}

} // namespace
} // namespace nspawn
