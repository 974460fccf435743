#include "base/siphash.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nspawn {
namespace {

constexpr SipHashKey kCountingKey = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

std::string counting(size_t size) {
    std::string text;
    for (size_t i = 0; i < size; ++i) {
        text += static_cast<char>(i);
    }
    return text;
}

// The example of the paper's appendix, and the first of its authors' test vectors.
TEST(SipHash, KnownValues) {
    EXPECT_EQ(siphash24(counting(15), kCountingKey), 0xa129ca6149be45e5);
    EXPECT_EQ(siphash24(counting(0), kCountingKey), 0x726fdb47dd0e0e31);
    EXPECT_EQ(siphash24(counting(1), kCountingKey), 0x74f839c593dc67fd);
    EXPECT_EQ(siphash24(counting(8), kCountingKey), 0x93f5f5799a932462);
}

} // namespace
} // namespace nspawn
