#include "base/error.hpp"
#include "config/image_policy.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

using namespace policy;

constexpr PolicyFlags kFree = kReadOnlyEither | kGrowfsEither;

PolicyFlags root_of(std::string_view text) { return ImagePolicy::parse(text).of(PartitionRole::root); }

TEST(ImagePolicy, TheThreeShortWords) {
    EXPECT_EQ(root_of("*"), kOpen | kFree);
    EXPECT_EQ(root_of("-"), kIgnore | kFree);
    EXPECT_EQ(root_of("~"), kAbsent | kFree);
}

TEST(ImagePolicy, FlagsAreJoined) {
    EXPECT_EQ(root_of("root=verity+signed"), kVerity | kSigned | kFree);
    EXPECT_EQ(root_of("root=unprotected+absent+read-only-on+growfs-off"),
              kUnprotected | kAbsent | kReadOnlyOn | kGrowfsOff);
    EXPECT_EQ(root_of("root=open"), kOpen | kFree);
    EXPECT_EQ(root_of("root=ignore"), kIgnore | kFree);
}

TEST(ImagePolicy, WhatIsNotSaidIsFree) {
    EXPECT_EQ(root_of("root="), kOpen | kFree);
    EXPECT_EQ(root_of("root=read-only-on"), kOpen | kReadOnlyOn | kGrowfsEither);
}

TEST(ImagePolicy, PartitionsThatAreNotNamed) {
    EXPECT_EQ(ImagePolicy::parse("root=verity").of(PartitionRole::home), kIgnore | kFree);
    EXPECT_EQ(ImagePolicy::parse("root=verity:=encrypted").of(PartitionRole::home), kEncrypted | kFree);
    EXPECT_EQ(ImagePolicy::parse("").of(PartitionRole::root), kIgnore | kFree);
}

TEST(ImagePolicy, HashPartitionsFollowWhatTheyProtect) {
    const ImagePolicy signed_root = ImagePolicy::parse("root=signed");
    EXPECT_EQ(signed_root.of(PartitionRole::root_verity), kUnprotected | kIgnore | kFree);
    EXPECT_EQ(signed_root.of(PartitionRole::root_verity_sig), kUnprotected | kIgnore | kFree);
    EXPECT_EQ(signed_root.of(PartitionRole::usr_verity), kIgnore | kFree);
    EXPECT_EQ(ImagePolicy::parse("root=verity").of(PartitionRole::root_verity_sig), kIgnore | kFree);
    EXPECT_EQ(ImagePolicy::parse("root=verity:root-verity=absent").of(PartitionRole::root_verity), kAbsent | kFree);
}

TEST(ImagePolicy, TheDefaultForContainers) {
    const ImagePolicy policy = ImagePolicy::for_containers();
    EXPECT_EQ(policy.of(PartitionRole::usr), kUses | kAbsent | kFree);
    EXPECT_EQ(policy.of(PartitionRole::var), kEncrypted | kUnprotected | kAbsent | kFree);
    EXPECT_EQ(policy.of(PartitionRole::esp), kUnprotected | kAbsent | kFree);
    EXPECT_EQ(policy.of(PartitionRole::swap), kIgnore | kFree);
}

TEST(ImagePolicy, TextIsReadBackAsTheSame) {
    for (const std::string_view text : {"*", "-", "~", "", "root=verity+signed:usr=absent:=open",
                                        "home=encrypted+read-only-off+growfs-on:swap=unused"}) {
        const ImagePolicy policy = ImagePolicy::parse(text);
        EXPECT_EQ(ImagePolicy::parse(policy.text()), policy) << text << " " << policy.text();
    }
    EXPECT_EQ(ImagePolicy::parse("*").text(), "*");
}

TEST(ImagePolicy, WhatIsNone) {
    for (const std::string_view text : {"root", "=", ":", "root=verity:", "root=a", "boot=open", "root=open:root=open",
                                        "=open:=open", "**", "root==verity", "Root=verity"}) {
        if (text == "=") {
            EXPECT_NO_THROW(ImagePolicy::parse(text)); // "all that are not named: anything"
            continue;
        }
        EXPECT_THROW(ImagePolicy::parse(text), Error) << text;
    }
}

} // namespace
} // namespace nspawn
