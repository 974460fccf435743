#include "base/path.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

TEST(Path, SimplifiedKeepsDotDot) {
    EXPECT_EQ(simplified("//a/./b//"), "/a/b");
    EXPECT_EQ(simplified("/"), "/");
    EXPECT_EQ(simplified("./"), ".");
    EXPECT_EQ(simplified("/a/../b"), "/a/../b");
}

TEST(Path, NormalizedHasNoDots) {
    EXPECT_TRUE(is_normalized("/a/b"));
    EXPECT_TRUE(is_normalized("/"));
    EXPECT_FALSE(is_normalized("/a/../b"));
    EXPECT_FALSE(is_normalized("/a/"));
    EXPECT_FALSE(is_normalized(""));
}

TEST(Path, WithinComparesWholeComponents) {
    EXPECT_TRUE(is_within("/a/b", "/a"));
    EXPECT_TRUE(is_within("/a", "/a"));
    EXPECT_FALSE(is_within("/ab", "/a"));
    EXPECT_TRUE(is_within("/x", "/"));
}

TEST(Path, NamesAndParents) {
    EXPECT_EQ(base_name("/a/b/"), "b");
    EXPECT_EQ(base_name("/"), "");
    EXPECT_EQ(parent_of("/a"), "/");
    EXPECT_EQ(parent_of("a"), ".");
    EXPECT_EQ(parent_of("/a/b"), "/a");
    EXPECT_EQ(join("/", "a"), "/a");
    EXPECT_EQ(join("/a", "/b"), "/a/b");
}

} // namespace
} // namespace nspawn
