#include "image/partition_type.hpp"
#include "image/version_pick.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

VersionPattern pattern_of(const char* path, VersionedKind kind = VersionedKind::image) {
    return version_pattern(path, kind).value_or(VersionPattern{"none", "", ""});
}

std::string picked(const char* path, const std::vector<std::string>& entries) {
    return pick_version(pattern_of(path), entries).value_or("none");
}

TEST(VersionPick, WhatAPathAsksFor) {
    const VersionPattern image = pattern_of("/a/web.raw.v");
    EXPECT_EQ(image.directory, "/a/web.raw.v");
    EXPECT_EQ(image.name, "web");
    EXPECT_EQ(image.suffix, ".raw");
    EXPECT_EQ(pattern_of("/a/web.v").name, "web");
    EXPECT_EQ(pattern_of("/a/web.v").suffix, ".raw");
    const VersionPattern tree = pattern_of("/a/web.v", VersionedKind::directory);
    EXPECT_EQ(tree.name, "web");
    EXPECT_EQ(tree.suffix, "");
    const VersionPattern explicit_pattern = pattern_of("/a/all.v/web___.img");
    EXPECT_EQ(explicit_pattern.directory, "/a/all.v");
    EXPECT_EQ(explicit_pattern.name, "web");
    EXPECT_EQ(explicit_pattern.suffix, ".img");
}

TEST(VersionPick, PlainPaths) {
    for (const char* path :
         {"/a/web", "/a/web.raw", "/a/.v", ".v", "/", "", "/a.v/web", "/a/web___.raw", "/a.v/___.raw"}) {
        EXPECT_FALSE(version_pattern(path, VersionedKind::image)) << path;
    }
}

TEST(VersionPick, TheNewest) {
    EXPECT_EQ(picked("web.raw.v", {"web_1.9.raw", "web_1.10.raw", "web_1.10~rc1.raw"}), "web_1.10.raw");
    EXPECT_EQ(picked("web.raw.v", {"web_2.raw"}), "web_2.raw");
}

TEST(VersionPick, OtherEntriesDoNotCount) {
    EXPECT_EQ(picked("web.raw.v", {"web.raw", "web_.raw", "web_9", "web_9.img", "other_9.raw", "webb_9.raw",
                                   "web_9+x.raw", "web_9+1-x.raw", ".web_9.raw", ".raw", ""}),
              "none");
}

TEST(VersionPick, TriesLeft) {
    EXPECT_EQ(picked("web.raw.v", {"web_1.raw", "web_2+0.raw", "web_3+0-3.raw"}), "web_1.raw");
    EXPECT_EQ(picked("web.raw.v", {"web_1.raw", "web_2+1-2.raw"}), "web_2+1-2.raw");
    EXPECT_EQ(picked("web.raw.v", {"web_2+0-5.raw", "web_1+0-5.raw"}), "web_2+0-5.raw");
    EXPECT_EQ(picked("web.raw.v", {"web_2+1-2.raw", "web_2+3.raw"}), "web_2+3.raw");
}

TEST(VersionPick, Architectures) {
    if (architecture_distance("x86-64") != 0) {
        GTEST_SKIP() << "the names here are those of x86-64";
    }
    EXPECT_EQ(picked("web.raw.v", {"web_1.raw", "web_1_x86.raw", "web_1_x86-64.raw"}), "web_1_x86-64.raw");
    EXPECT_EQ(picked("web.raw.v", {"web_1.raw", "web_1_x86.raw"}), "web_1_x86.raw");
    EXPECT_EQ(picked("web.raw.v", {"web_2_arm64.raw", "web_1_x86-64.raw"}), "web_1_x86-64.raw");
    EXPECT_EQ(picked("web.raw.v", {"web_2_x86.raw", "web_1_x86-64.raw"}), "web_2_x86.raw");
    EXPECT_EQ(picked("web.raw.v", {"web_1_2_x86-64+2.raw"}), "web_1_2_x86-64+2.raw");
}

TEST(VersionPick, TheOrderOfTheListingDoesNotMatter) {
    EXPECT_EQ(picked("web.raw.v", {"web_1.0.raw", "web_1.00.raw"}),
              picked("web.raw.v", {"web_1.00.raw", "web_1.0.raw"}));
}

TEST(PartitionTypes, AreTold) {
    EXPECT_EQ(partition_type("933ac7e1-2eb4-4f13-b844-0e14e2aef915")->role, PartitionRole::home);
    const auto root = partition_type("b921b045-1df0-41c3-af44-4c6f280d3fae");
    EXPECT_EQ(root->role, PartitionRole::root);
    EXPECT_EQ(root->architecture, "arm64");
    EXPECT_EQ(partition_type("e7bb33fb-06cf-4e81-8273-e543b413e2e2")->role, PartitionRole::usr_verity_sig);
    EXPECT_FALSE(partition_type("0fc63daf-8483-4772-8e79-3d69d8477de4"));
    EXPECT_FALSE(partition_type(""));
}

} // namespace
} // namespace nspawn
