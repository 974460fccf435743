#include "docs/roff.hpp"

#include <gtest/gtest.h>

namespace nspawn::docs {
namespace {

std::string section(std::string_view markdown) { return roff_from_markdown(markdown, Place::section); }
std::string tagged(std::string_view markdown) { return roff_from_markdown(markdown, Place::tagged_paragraph); }

TEST(Roff, SetsHeadingsAndParagraphs) {
    EXPECT_EQ(section("# EXIT STATUS\nFirst\nline.\n\nSecond.\n## Part\nThird.\n"),
              ".SH EXIT STATUS\nFirst\nline.\n.PP\nSecond.\n.SS Part\nThird.\n");
}

TEST(Roff, KeepsParagraphsOfATagIndented) { EXPECT_EQ(tagged("One.\n\nTwo.\n"), "One.\n.IP\nTwo.\n"); }

TEST(Roff, SetsInlineMarks) {
    EXPECT_EQ(roff_inline("run `--boot` with *PATH* of **nspawn**(1)"),
              "run \\fB\\%\\-\\-boot\\fR with \\fIPATH\\fR of \\fB\\%nspawn\\fR(1)");
    EXPECT_EQ(roff_inline("[a page](http://example.com)"), "a page");
    EXPECT_EQ(roff_inline("2 * 3 ` [x]"), "2 * 3 ` [x]") << "marks without a partner are text";
}

TEST(Roff, NeverStartsARequestFromText) {
    EXPECT_EQ(section(".nspawn files\n'quoted'\n"), "\\&.nspawn files\n\\&'quoted'\n");
    EXPECT_EQ(roff_inline("a\\b"), "a\\eb");
    EXPECT_EQ(roff_literal("'~^`-\\"), "\\(aq\\(ti\\(ha\\(ga\\-\\e");
}

TEST(Roff, SetsLists) {
    EXPECT_EQ(section("- one\n  more\n- two\n"), ".IP \\(bu 2\none\nmore\n.IP \\(bu 2\ntwo\n");
    EXPECT_EQ(tagged("- one\n"), ".RS\n.IP \\(bu 2\none\n.RE\n");
    EXPECT_EQ(section("0\n: Fine.\n\n1\n: Not\n  fine.\n\nAfter.\n"),
              ".TP\n0\nFine.\n.TP\n1\nNot\nfine.\n.PP\nAfter.\n");
    EXPECT_EQ(tagged("`yes`\n: Now.\n"), ".RS\n.TP\n\\fB\\%yes\\fR\nNow.\n.RE\n");
}

TEST(Roff, SetsCodeAsItStands) {
    EXPECT_EQ(section("```\n.a -b\n  c\n```\n"), ".RS 4\n.nf\n\\&.a \\-b\n  c\n.fi\n.RE\n");
    EXPECT_EQ(section("```\nnever closed"), ".RS 4\n.nf\nnever closed\n.fi\n.RE\n");
}

TEST(Roff, ReplacesCharactersThatATerminalMayLack) { EXPECT_EQ(roff_inline("CAP,… — x"), "CAP,... \\(em x"); }

} // namespace
} // namespace nspawn::docs
