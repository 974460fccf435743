// The question who has signed a root hash, as text and back; what is no question is none.
#include "image/signature_question.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

TEST(SignatureQuestion, IsReadBackAsItWas) {
    const SignatureQuestion question{
        .root_hash = "0123", .signature = "QUJD", .certificates = {{"a b.crt", "-----\nline\n"}, {"c.crt", "x"}}};
    const auto read = parse_signature_question(question_as_text(question));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->root_hash, "0123");
    EXPECT_EQ(read->signature, "QUJD");
    ASSERT_EQ(read->certificates.size(), 2U);
    EXPECT_EQ(read->certificates[0].name, "a b.crt");
    EXPECT_EQ(read->certificates[0].content, "-----\nline\n");
}

TEST(SignatureQuestion, OtherTextIsNone) {
    for (const char* text : {"", "\n", "!! QUJD\n", "MDEyMw== !!\n", "MDEyMw== QUJD\n!! x\n", " QUJD\n"}) {
        EXPECT_FALSE(parse_signature_question(text)) << text;
    }
}

TEST(SignatureQuestion, OnlyANameIsAnAnswer) {
    EXPECT_EQ(parse_signature_answer("signed bWluZS5jcnQ="), "mine.crt");
    for (const char* line : {"", "unsigned", "signed", "signed !!", "opened bWluZS5jcnQ="}) {
        EXPECT_EQ(parse_signature_answer(line), "") << line;
    }
    EXPECT_EQ(signature_answer_as_text(""), "unsigned\n");
}

} // namespace
} // namespace nspawn
