#include "base/id128.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

TEST(Id128, ReadsBothForms) {
    const auto plain = Id128::parse("0123456789abcdef0123456789ABCDEF");
    const auto dashed = Id128::parse("01234567-89ab-cdef-0123-456789abcdef");
    ASSERT_TRUE(plain && dashed);
    EXPECT_EQ(*plain, *dashed);
    EXPECT_EQ(plain->plain(), "0123456789abcdef0123456789abcdef");
    EXPECT_EQ(plain->uuid(), "01234567-89ab-cdef-0123-456789abcdef");
}

TEST(Id128, RefusesEverythingElse) {
    EXPECT_FALSE(Id128::parse(""));
    EXPECT_FALSE(Id128::parse("0123456789abcdef0123456789abcdeg"));
    EXPECT_FALSE(Id128::parse("0123456789abcdef0123456789abcde"));
    EXPECT_FALSE(Id128::parse("0123456-789ab-cdef-0123-456789abcdef0"));
}

TEST(Id128, RandomIsAVersion4Uuid) {
    const Id128 id = Id128::random();
    EXPECT_EQ(id.uuid()[14], '4');
    EXPECT_NE(id, Id128::random());
    EXPECT_FALSE(id.is_null());
}

} // namespace
} // namespace nspawn
