#include "base/error.hpp"
#include "config/specifier.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

namespace nspawn {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string fact(char letter) { return std::string("<") + letter + ">"; }

TEST(Specifier, ReplacesEveryLetterInATrustedFile) {
    for (const Specifier& specifier : specifiers()) {
        const std::string written = std::string("a%") + specifier.letter + "z";
        const std::string expected = specifier.letter == '%' ? "a%z" : "a" + fact(specifier.letter) + "z";
        const Expansion expansion = expand_specifiers(written, true, fact);
        EXPECT_EQ(expansion.text, expected);
        EXPECT_THAT(expansion.problems, IsEmpty());
    }
}

TEST(Specifier, TellsAnUntrustedFileNothingAboutTheHost) {
    const auto must_not_ask = [](char letter) -> std::string {
        EXPECT_EQ(letter, 'i') << "a host fact was asked for on behalf of an untrusted file";
        return "web";
    };
    for (const Specifier& specifier : specifiers()) {
        const std::string written = std::string("%") + specifier.letter;
        const Expansion expansion = expand_specifiers(written, false, must_not_ask);
        if (specifier.letter == 'i') {
            EXPECT_EQ(expansion.text, "web");
        } else if (specifier.letter == '%') {
            EXPECT_EQ(expansion.text, "%");
        } else {
            EXPECT_EQ(expansion.text, written);
            EXPECT_THAT(expansion.problems, SizeIs(1));
        }
    }
}

TEST(Specifier, KeepsAndReportsWhatIsNoSpecifier) {
    const Expansion unknown = expand_specifiers("date +%q", true, fact);
    EXPECT_EQ(unknown.text, "date +%q");
    EXPECT_THAT(unknown.problems, SizeIs(1));
    const Expansion at_end = expand_specifiers("100%", true, fact);
    EXPECT_EQ(at_end.text, "100%");
    EXPECT_THAT(at_end.problems, SizeIs(1));
}

TEST(Specifier, DoesNotReplaceInsideAReplacement) {
    const Expansion expansion = expand_specifiers("%%i %i", true, [](char) { return std::string("%u"); });
    EXPECT_EQ(expansion.text, "%i %u");
}

TEST(Specifier, ReportsAFactTheHostDoesNotHave) {
    const Expansion expansion =
        expand_specifiers("%m", true, [](char) -> std::string { throw Error("there is no machine id"); });
    EXPECT_EQ(expansion.text, "%m");
    ASSERT_THAT(expansion.problems, SizeIs(1));
    EXPECT_THAT(expansion.problems[0], HasSubstr("there is no machine id"));
}

TEST(Specifier, HostFactsAnswer) {
    const SpecifierFacts facts = host_specifier_facts("web");
    EXPECT_EQ(facts('i'), "web");
    EXPECT_EQ(facts('U'), std::to_string(getuid()));
    EXPECT_THAT(facts('b'), SizeIs(32));
    EXPECT_THAT(facts('H'), HasSubstr(facts('l')));
    EXPECT_THAT(facts('a'), ::testing::Not(IsEmpty()));
    EXPECT_THAT(facts('v'), ::testing::Not(IsEmpty()));
}

} // namespace
} // namespace nspawn
