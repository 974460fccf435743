#include "base/error.hpp"
#include "image/partition_type.hpp"
#include "image/select_partitions.hpp"

#include <gmock/gmock.h>

namespace nspawn {
namespace {

using testing::HasSubstr;

constexpr const char* kHome = "933ac7e1-2eb4-4f13-b844-0e14e2aef915";
constexpr const char* kVar = "4d21b016-b534-45c2-a9fb-5c16e091fd2d";
constexpr const char* kTmp = "7ec6f557-3bc5-4aca-b293-16ef5df639d1";
constexpr const char* kEsp = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
constexpr const char* kSwap = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f";
constexpr const char* kGeneric = "0fc63daf-8483-4772-8e79-3d69d8477de4";
constexpr const char* kRootX86_64 = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
constexpr const char* kRootX86 = "44479540-f297-41b2-9af7-d131d5f0458a";
constexpr const char* kRootArm64 = "b921b045-1df0-41c3-af44-4c6f280d3fae";
constexpr const char* kUsrX86_64 = "8484680c-9521-48c6-9c11-b0720656f69e";
constexpr const char* kVerity = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5";
constexpr const char* kSignature = "41092b05-9fc8-4523-994f-2def0408b176";
constexpr uint64_t kMiB = 1 << 20;
const std::string kHash = "00112233445566778899aabbccddeeff" + std::string(32, 'f');

// Partitions of a megabyte each, one behind the other.
class SelectPartitions : public testing::Test {
protected:
    void SetUp() override {
        if (architecture_distance("x86-64") != 0) {
            GTEST_SKIP() << "the types here are those of x86-64";
        }
    }
    SelectPartitions() {
        layout.table = PartitionTable::gpt;
        layout.size = 1000 * kMiB;
    }
    DiskPartition& add(const char* type, const char* content = "ext4", const char* label = "") {
        DiskPartition part;
        part.number = static_cast<unsigned>(layout.partitions.size() + 1);
        part.offset = part.number * kMiB;
        part.size = kMiB;
        part.type = type;
        part.content = content;
        part.label = label;
        layout.partitions.push_back(part);
        return layout.partitions.back();
    }
    [[nodiscard]] std::vector<ChosenPartition> select() const { return select_partitions(layout, policy, wish); }
    // "root:2 home:3"
    [[nodiscard]] std::string chosen() const {
        std::string text;
        for (const ChosenPartition& choice : select()) {
            text.append(text.empty() ? "" : " ").append(partition_role_name(choice.role)) += ':';
            text += std::to_string(choice.part.number);
        }
        return text;
    }
    [[nodiscard]] std::string refusal() const {
        try {
            return "chosen " + chosen();
        } catch (const Error& error) {
            return error.message();
        }
    }

    DiskLayout layout;
    ImagePolicy policy = ImagePolicy::for_containers();
    VerityWish wish;
};

TEST_F(SelectPartitions, EachRoleInTheOrderOfMounting) {
    add(kTmp);
    add(kVar);
    add(kEsp, "vfat");
    add(kSwap, "swap");
    add(kHome);
    add(kRootX86_64);
    EXPECT_EQ(chosen(), "root:6 home:5 var:2 tmp:1 esp:3");
}

TEST_F(SelectPartitions, TheNewestRootOfThisMachine) {
    add(kRootArm64, "ext4", "v9");
    add(kRootX86, "ext4", "v9");
    add(kRootX86_64, "ext4", "v2");
    add(kRootX86_64, "ext4", "v10");
    add(kRootX86_64, "ext4", "v10");
    EXPECT_EQ(chosen(), "root:4");
}

TEST_F(SelectPartitions, WhatRunsTooBeforeWhatDoesNot) {
    add(kRootArm64);
    add(kRootX86);
    EXPECT_EQ(chosen(), "root:2");
    layout.partitions.pop_back();
    EXPECT_EQ(chosen(), "root:1"); // may run by emulation
}

TEST_F(SelectPartitions, TheFirstOfOtherKinds) {
    add(kRootX86_64);
    add(kHome, "ext4", "v1");
    add(kHome, "ext4", "v2");
    EXPECT_EQ(chosen(), "root:1 home:2");
}

TEST_F(SelectPartitions, Flags) {
    add(kRootX86_64).flags = kPartitionGrow;
    add(kHome).flags = kPartitionNoAuto;
    add(kVar).flags = kPartitionReadOnly;
    const auto choices = select();
    ASSERT_EQ(choices.size(), 2);
    EXPECT_TRUE(choices[0].grow);
    EXPECT_FALSE(choices[0].read_only);
    EXPECT_TRUE(choices[1].read_only);
}

TEST_F(SelectPartitions, GenericOnlyWhenThereIsNoRoot) {
    add(kGeneric);
    EXPECT_EQ(chosen(), "root:1");
    add(kGeneric);
    EXPECT_THAT(refusal(), HasSubstr("2 partitions that could be the root"));
    add(kRootX86_64);
    EXPECT_EQ(chosen(), "root:3");
}

TEST_F(SelectPartitions, UsrAlone) {
    add(kUsrX86_64);
    add(kGeneric);
    EXPECT_EQ(chosen(), "usr:1");
}

TEST_F(SelectPartitions, Mbr) {
    layout.table = PartitionTable::mbr;
    add("0x83");
    add("0x83").flags = kMbrActive;
    add("0xea");
    EXPECT_EQ(chosen(), "root:2 xbootldr:3");
    layout.partitions[0].flags = kMbrActive;
    EXPECT_THAT(refusal(), HasSubstr("2 partitions"));
}

TEST_F(SelectPartitions, NoTable) {
    layout.table = PartitionTable::none;
    layout.whole.size = layout.size;
    EXPECT_THAT(refusal(), HasSubstr("neither a file system nor a partition table"));
    layout.whole.content = "xfs";
    EXPECT_EQ(chosen(), "root:0");
    layout.whole.ambiguous = true;
    EXPECT_THAT(refusal(), HasSubstr("several file systems"));
}

TEST_F(SelectPartitions, WithoutATree) {
    EXPECT_THAT(refusal(), HasSubstr("partition table is empty"));
    add(kHome);
    EXPECT_THAT(refusal(), HasSubstr("none of its partitions is a root"));
}

TEST_F(SelectPartitions, PlacesThatCannotBe) {
    add(kRootX86_64);
    add(kHome).offset = layout.partitions[0].offset + kMiB - 1;
    EXPECT_THAT(refusal(), HasSubstr("partition 2 overlaps"));
    layout.partitions[1].offset = layout.size - kMiB + 1;
    EXPECT_THAT(refusal(), HasSubstr("partition 2 reaches beyond the end"));
    layout.partitions[1].offset = UINT64_MAX;
    EXPECT_THAT(refusal(), HasSubstr("beyond the end"));
    layout.partitions[1].offset = 5 * kMiB;
    layout.partitions[1].size = UINT64_MAX;
    EXPECT_THAT(refusal(), HasSubstr("beyond the end"));
    layout.partitions[1].size = 0;
    EXPECT_THAT(refusal(), HasSubstr("beyond the end"));
    layout.partitions[1].flags = kPartitionNoAuto; // not used, so that it may lie where it wants
    EXPECT_EQ(chosen(), "root:1");
}

TEST_F(SelectPartitions, PolicyDemandsAndIgnores) {
    add(kRootX86_64);
    add(kHome, "crypto_LUKS");
    policy = ImagePolicy::parse("root=unprotected:home=unprotected");
    EXPECT_THAT(refusal(), HasSubstr("partition 2 (home) is encrypted, which the image policy does not allow"));
    policy = ImagePolicy::parse("root=unprotected:home=unprotected+unused");
    EXPECT_EQ(chosen(), "root:1");
    policy = ImagePolicy::parse("root=unprotected:home=encrypted");
    EXPECT_EQ(chosen(), "root:1 home:2");
    EXPECT_EQ(select()[1].protection, Protection::encrypted);
    policy = ImagePolicy::parse("root=unprotected:home=encrypted:srv=unprotected");
    EXPECT_THAT(refusal(), HasSubstr("no srv partition"));
    policy = ImagePolicy::parse("root=read-only-on");
    EXPECT_THAT(refusal(), HasSubstr("read-only flag not set"));
    policy = ImagePolicy::parse("-");
    EXPECT_THAT(refusal(), HasSubstr("none of its partitions"));
    policy = ImagePolicy::parse("~");
    EXPECT_THAT(refusal(), HasSubstr("does not allow"));
}

class SelectVerity : public SelectPartitions {
protected:
    SelectVerity() {
        add(kRootX86_64).uuid = "00112233-4455-6677-8899-aabbccddeeff";
        add(kVerity, "DM_verity_hash").uuid = "ffffffff-ffff-ffff-ffff-ffffffffffff";
        add(kRootX86_64, "ext4", "newer").uuid = "10112233-4455-6677-8899-aabbccddeeff";
    }
};

TEST_F(SelectVerity, TheHashNamesItsPartitions) {
    wish.root_hash = kHash;
    const auto choices = select();
    ASSERT_EQ(choices.size(), 1);
    EXPECT_EQ(choices[0].part.number, 1);
    EXPECT_EQ(choices[0].protection, Protection::verity);
    EXPECT_TRUE(choices[0].read_only);
    EXPECT_EQ(choices[0].hash_tree->number, 2);
    wish.root_hash[0] = '5';
    EXPECT_THAT(refusal(), HasSubstr("no root partition belongs to the root hash"));
    wish.root_hash = kHash;
    wish.root_hash.back() = '0';
    EXPECT_THAT(refusal(), HasSubstr("no root-verity partition belongs"));
}

TEST_F(SelectVerity, AHashThatWasGivenIsNeverForgotten) {
    wish.root_hash = kHash;
    policy = ImagePolicy::parse("root=unprotected+unused");
    EXPECT_THAT(refusal(), HasSubstr("protected by verity without a signature, which the image policy does not allow"));
}

TEST_F(SelectVerity, ASignatureInTheImage) {
    EXPECT_EQ(chosen(), "root:3"); // nothing speaks of a root hash
    DiskPartition& signature = add(kSignature, "");
    signature.root_hash = kHash;
    signature.signature = "AAAA";
    const auto choices = select();
    EXPECT_EQ(choices[0].part.number, 1);
    EXPECT_EQ(choices[0].protection, Protection::signed_verity);
    EXPECT_EQ(choices[0].root_hash, kHash);
    EXPECT_EQ(choices[0].signature, "AAAA");
    policy = ImagePolicy::parse("root=unprotected");
    EXPECT_EQ(chosen(), "root:3");
    policy = ImagePolicy::parse("root=signed");
    layout.partitions.back().root_hash = "";
    EXPECT_THAT(refusal(), HasSubstr("holds no signature"));
}

TEST_F(SelectVerity, SignedIsMoreThanVerity) {
    policy = ImagePolicy::parse("root=signed");
    wish.root_hash = kHash;
    EXPECT_THAT(refusal(), HasSubstr("without a signature"));
    wish.signature = "AAAA";
    EXPECT_EQ(select()[0].protection, Protection::signed_verity);
}

TEST_F(SelectVerity, ASeparateUsrWouldNotBeProtected) {
    wish.root_hash = kHash;
    add(kUsrX86_64);
    EXPECT_THAT(refusal(), HasSubstr("/usr is a partition of its own"));
}

TEST_F(SelectVerity, WithoutPartitionsTheHashTreeIsAFile) {
    layout.table = PartitionTable::none;
    layout.whole.content = "squashfs";
    layout.whole.size = layout.size;
    wish.root_hash = kHash;
    EXPECT_THAT(refusal(), HasSubstr("neither a partition table nor a file with the hash tree"));
    wish.separate_data = true;
    EXPECT_EQ(select()[0].protection, Protection::verity);
    EXPECT_FALSE(select()[0].hash_tree.has_value());
}

} // namespace
} // namespace nspawn
