#include "base/error.hpp"
#include "config/settings_syntax.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> flat(const SettingsText& text) {
    std::vector<std::string> lines;
    for (const SettingsEntry& entry : text.entries) {
        lines.push_back(std::to_string(entry.line) + ":" + entry.section + "." + entry.key + "=" + entry.value);
    }
    return lines;
}

std::vector<unsigned> problem_lines(const SettingsText& text) {
    std::vector<unsigned> lines;
    for (const SettingsProblem& problem : text.problems) {
        lines.push_back(problem.line);
    }
    return lines;
}

TEST(SettingsSyntax, ReadsSectionsKeysAndLineNumbers) {
    const SettingsText text =
        parse_settings("# a comment\n[Exec]\nUser = web\n\n; another\n[Files]\n  ReadOnly=yes  \n");
    EXPECT_THAT(flat(text), ElementsAre("3:Exec.User=web", "7:Files.ReadOnly=yes"));
    EXPECT_THAT(text.problems, IsEmpty());
    ASSERT_THAT(text.sections, SizeIs(2));
    EXPECT_EQ(text.sections[1].line, 6U);
}

TEST(SettingsSyntax, KeepsEqualsSignsQuotesAndCommentSignsInValues) {
    const SettingsText text = parse_settings("[Exec]\nEnvironment=\"A=b # c\" D=e ; f\n");
    EXPECT_THAT(flat(text), ElementsAre("2:Exec.Environment=\"A=b # c\" D=e ; f"));
}

TEST(SettingsSyntax, JoinsContinuationLinesWithASpaceAndSkipsCommentsBetween) {
    const SettingsText text =
        parse_settings("[Section C]\nKeyThree=value 3\\\n# this line is ignored\n; this line is ignored too\n"
                       "       value 3 continued\nNext=1\n");
    EXPECT_THAT(flat(text), ElementsAre("2:Section C.KeyThree=value 3 value 3 continued", "6:Section C.Next=1"));
}

TEST(SettingsSyntax, ADoubledBackslashOrOneBeforeABlankContinuesNothing) {
    EXPECT_THAT(flat(parse_settings("[A]\nB=c\\\\\nD=e\n")), ElementsAre("2:A.B=c\\\\", "3:A.D=e"));
    EXPECT_THAT(flat(parse_settings("[A]\nB=c\\ \nD=e\n")), ElementsAre("2:A.B=c\\", "3:A.D=e"));
}

TEST(SettingsSyntax, ABackslashAtTheEndOfTheFileIsDropped) {
    EXPECT_THAT(flat(parse_settings("[A]\nB=c\\")), ElementsAre("2:A.B=c"));
    EXPECT_THAT(flat(parse_settings("[A]\nB=c\\\n# only a comment follows\n")), ElementsAre("2:A.B=c"));
}

TEST(SettingsSyntax, AcceptsWindowsLineEndsAndAByteOrderMark) {
    const SettingsText text = parse_settings("\xef\xbb\xbf[Exec]\r\nParameters=a \\\r\n b\r\n");
    EXPECT_THAT(flat(text), ElementsAre("2:Exec.Parameters=a  b"));
    EXPECT_THAT(text.problems, IsEmpty());
}

TEST(SettingsSyntax, ReportsBrokenLinesAndUsesTheOthers) {
    const SettingsText text = parse_settings("Early=1\n[Exec]\njunk\n=value\nUser=web\n");
    EXPECT_THAT(flat(text), ElementsAre("5:Exec.User=web"));
    EXPECT_THAT(problem_lines(text), ElementsAre(1, 3, 4));
}

TEST(SettingsSyntax, LinesBelowABrokenHeaderBelongToNoSection) {
    for (const char* header : {"[Network", "[]", "[", "[Net]work", "[Net]]", "[[Net]"}) {
        const SettingsText text =
            parse_settings(std::string("[Exec]\nUser=a\n") + header + "\nBoot=yes\n[Exec]\nUser=b\n");
        EXPECT_THAT(flat(text), ElementsAre("2:Exec.User=a", "6:Exec.User=b")) << header;
        EXPECT_THAT(problem_lines(text), ElementsAre(3)) << header;
    }
}

TEST(SettingsSyntax, RefusesControlCharactersAndForeignEncodings) {
    const std::string nul("[A]\nB=c\0d\nE=f\n", 13);
    EXPECT_THAT(flat(parse_settings(nul)), ElementsAre("3:A.E=f"));
    EXPECT_THAT(problem_lines(parse_settings(nul)), ElementsAre(2));
    EXPECT_THAT(problem_lines(parse_settings("[A]\nB=\x1b]0;title\x07\n")), ElementsAre(2));
    EXPECT_THAT(problem_lines(parse_settings("[A]\nB=Gr\xfc\xdf\n")), ElementsAre(2));
    EXPECT_THAT(flat(parse_settings("[A]\nB=Gr\xc3\xbc\xc3\x9f\ta\n")), ElementsAre("2:A.B=Gr\xc3\xbc\xc3\x9f\ta"));
}

TEST(SettingsSyntax, NeverQuotesTheFileInAProblem) {
    const SettingsText text = parse_settings("root:$6$secret:19000:0:99999:7:::\n[Exec]\nhunter2\n");
    ASSERT_THAT(text.problems, SizeIs(2));
    for (const SettingsProblem& problem : text.problems) {
        EXPECT_THAT(problem.text, ::testing::Not(HasSubstr("secret")));
        EXPECT_THAT(problem.text, ::testing::Not(HasSubstr("hunter2")));
    }
}

TEST(SettingsSyntax, BoundsTheLengthOfALine) {
    const std::string fits = "B=" + std::string(kSettingsLineLimit - 2, 'x');
    EXPECT_THAT(parse_settings("[A]\n" + fits + "\n").entries, SizeIs(1));
    EXPECT_THAT(problem_lines(parse_settings("[A]\n" + fits + "x\nC=d\n")), ElementsAre(2));
    EXPECT_THAT(flat(parse_settings("[A]\n" + fits + "\\\nx\nC=d\n")), ElementsAre("4:A.C=d"));
}

TEST(SettingsSyntax, RefusesWhatIsTooLargeForASettingsFile) {
    EXPECT_NO_THROW(parse_settings(std::string(kSettingsLineCountLimit, '\n')));
    EXPECT_THROW(parse_settings(std::string(kSettingsLineCountLimit + 1, '\n')), Error);
    EXPECT_THROW(parse_settings(std::string(kSettingsSizeLimit + 1, '#')), Error);
}

} // namespace
} // namespace nspawn
