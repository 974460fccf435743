#include "image/os_release.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {

namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(OsRelease, KeepsTheOrderOfTheFileAndTheFourFieldsAContainerIsTold) {
    EXPECT_THAT(host_os_release_fields("PRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_ID=\"12\"\nID=debian\n"
                                       "VARIANT_ID=server\nBUILD_ID=7\nHOME_URL=x\n"),
                ElementsAre(Pair("VERSION_ID", "12"), Pair("ID", "debian"), Pair("VARIANT_ID", "server"),
                            Pair("BUILD_ID", "7")));
}

TEST(OsRelease, UnderstandsShellQuoting) {
    EXPECT_THAT(parse_os_release("A='one $two \\n'\nB=\"a \\\"b\\\" \\$c \\\\ \\x\"\nC=a\\ b\nD=\"x\"'y'z\nE=\n"),
                ElementsAre(Pair("A", "one $two \\n"), Pair("B", "a \"b\" $c \\ \\x"), Pair("C", "a b"),
                            Pair("D", "xyz"), Pair("E", "")));
}

TEST(OsRelease, SkipsWhatIsNoAssignment) {
    EXPECT_THAT(parse_os_release("# ID=no\n;ID=no\n1ID=no\nI D=no\n=no\nID\nID=\"open\nID='open\nID=back\\"),
                IsEmpty());
}

TEST(OsRelease, ALaterAssignmentReplacesAnEarlierOneInItsPlace) {
    EXPECT_THAT(parse_os_release("ID=a\nVERSION_ID=1\nID=b\n"), ElementsAre(Pair("ID", "b"), Pair("VERSION_ID", "1")));
}

TEST(OsRelease, AnEmptyFieldIsNotTold) { EXPECT_THAT(host_os_release_fields("ID=\nBUILD_ID=''\n"), IsEmpty()); }

TEST(OsRelease, ValuesWithControlCharactersOrOverLongOnesAreRefused) {
    EXPECT_THAT(parse_os_release("ID=\x1b[31mred\nVERSION_ID=a\tb\n"), IsEmpty());
    EXPECT_THAT(parse_os_release("ID=" + std::string(5000, 'x')), IsEmpty());
}

TEST(OsRelease, TheNumberOfFieldsIsBounded) {
    std::string text;
    for (int i = 0; i < 5000; ++i) {
        text += "K" + std::to_string(i) + "=v\n";
    }
    EXPECT_EQ(parse_os_release(text).size(), 256U);
}

} // namespace

} // namespace nspawn
