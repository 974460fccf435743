#include "config/private_users.hpp"
#include "linux/capability.hpp"
#include "saying.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

UserChoice on_command_line(std::string_view text) { return parse_private_users(text, false); }

TEST(PrivateUsers, Grammar) {
    EXPECT_EQ(on_command_line("no").mode, UserMode::host);
    EXPECT_EQ(on_command_line("yes").mode, UserMode::tree);
    EXPECT_EQ(on_command_line("pick").mode, UserMode::pick);
    EXPECT_EQ(on_command_line("identity").map, (IdRanges{{0, 0, 65536}}));
    EXPECT_EQ(on_command_line("700000").map, (IdRanges{{0, 700000, 65536}}));
    EXPECT_EQ(on_command_line("700000:10").map, (IdRanges{{0, 700000, 10}}));
    EXPECT_EQ(on_command_line("5:7:1,0:100000:5").map, (IdRanges{{5, 7, 1}, {0, 100000, 5}}));
}

TEST(PrivateUsers, DigitsAreIdsOnTheCommandLineAndBooleansInFiles) {
    EXPECT_EQ(on_command_line("0").map, (IdRanges{{0, 0, 65536}}));
    EXPECT_EQ(on_command_line("1").map, (IdRanges{{0, 1, 65536}}));
    EXPECT_EQ(parse_private_users("0", true).mode, UserMode::host);
    EXPECT_EQ(parse_private_users("1", true).mode, UserMode::tree);
    EXPECT_EQ(parse_private_users("2", true).map, (IdRanges{{0, 2, 65536}}));
}

TEST(PrivateUsers, FormatIsReadBackAsTheSame) {
    for (const char* text : {"no", "yes", "pick", "identity", "700000:10", "0:100000:5,5:7:1"}) {
        EXPECT_EQ(format_private_users(on_command_line(text)), text);
    }
    for (const char* text : {"off", "chown", "map", "auto"}) {
        EXPECT_EQ(format_tree_ownership(parse_tree_ownership(text)), text);
    }
}

TEST(PrivateUsers, OwnershipFollowsTheMode) {
    const auto ownership = [](std::vector<std::string> words) {
        return Saying(std::move(words)).config().tree_ownership;
    };
    EXPECT_EQ(ownership({"--private-users"}), TreeOwnership::off);
    EXPECT_EQ(ownership({"--private-users=pick"}), TreeOwnership::automatic);
    EXPECT_EQ(ownership({"--private-users=700000"}), TreeOwnership::off);
    EXPECT_EQ(ownership({"-U"}), TreeOwnership::automatic);
    EXPECT_EQ(ownership({"--private-users=pick", "--private-users-ownership=no"}), TreeOwnership::off);
    EXPECT_EQ(ownership({"--private-users=pick", "--private-users-chown"}), TreeOwnership::chown);
    EXPECT_EQ(ownership({"--private-users-ownership=yes", "--private-users=0"}), TreeOwnership::automatic);
    EXPECT_EQ(ownership({"--private-users-chown"}), TreeOwnership::off) << "no effect without private users";
    EXPECT_EQ(ownership({"-U", "--private-users=no"}), TreeOwnership::off);
}

TEST(PrivateUsers, ShorthandHoldsOnlyWhereTheKernelCan) {
    EXPECT_TRUE(Saying({"-U"}).config().users_if_possible);
    EXPECT_FALSE(Saying({"--private-users=pick"}).config().users_if_possible);
    EXPECT_FALSE(Saying({"-U", "--private-users=pick"}).config().users_if_possible);
}

TEST(PrivateUsers, PickInAFileMeansChown) {
    EXPECT_EQ(Saying().trusted("Exec.PrivateUsers=pick").config().tree_ownership, TreeOwnership::chown);
    EXPECT_EQ(Saying().trusted("Exec.PrivateUsers=yes").config().tree_ownership, TreeOwnership::off);
    EXPECT_EQ(
        Saying().trusted("Exec.PrivateUsers=pick").trusted("Files.PrivateUsersOwnership=map").config().tree_ownership,
        TreeOwnership::map);
    EXPECT_EQ(Saying({"--settings=override", "-U"}).trusted("Exec.PrivateUsers=pick").config().tree_ownership,
              TreeOwnership::chown);
}

TEST(PrivateUsers, AllOfThemAreOneUnit) {
    const Config config = Saying({"--private-users=700000"})
                              .trusted("Exec.PrivateUsers=pick")
                              .trusted("Files.PrivateUsersOwnership=map")
                              .config();
    EXPECT_EQ(config.users.map, (IdRanges{{0, 700000, 65536}}));
    EXPECT_EQ(config.tree_ownership, TreeOwnership::off);
    EXPECT_EQ(Saying({"--private-users-chown"}).trusted("Exec.PrivateUsers=pick").config().users.mode, UserMode::host);
    // A file that overrides, and says only how, turns them off.
    EXPECT_EQ(Saying({"--settings=override", "-U"}).trusted("Files.PrivateUsersOwnership=map").config().users.mode,
              UserMode::host);
    EXPECT_EQ(Saying({"--settings=override", "-U"}).trusted("Exec.PrivateUsers=no").config().users.mode,
              UserMode::host);
}

TEST(PrivateUsers, AnUntrustedFileHasNoSay) {
    Saying saying;
    saying.untrusted("Exec.PrivateUsers=no").untrusted("Files.PrivateUsersOwnership=off");
    EXPECT_EQ(saying.warnings().size(), 2U);
    EXPECT_EQ(Saying({"--settings=override", "-U"}).untrusted("Exec.PrivateUsers=no").config().users.mode,
              UserMode::pick);
    EXPECT_FALSE(Saying().untrusted("Network.Private=yes").config().network.is_private);
}

TEST(PrivateUsers, ChownNeedsATreeThatMayChange) {
    EXPECT_THAT(Saying({"--private-users=655360", "--private-users-chown", "--read-only"}).problem(),
                HasSubstr("changes the tree"));
    EXPECT_THAT(Saying({"--private-users=655360", "--private-users-ownership=chown", "--volatile=overlay"}).problem(),
                HasSubstr("changes the tree"));
    EXPECT_THAT(Saying({"-U", "--volatile=overlay"}).problem(), IsEmpty());
    EXPECT_THAT(Saying({"--private-users-chown", "--read-only"}).problem(), IsEmpty());
}

TEST(PrivateUsers, WritableKernelInterfacesNeedAPrivateNetwork) {
    const std::string network = "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network";
    EXPECT_THAT(Saying({"-U"}).with(network).problem(), HasSubstr("private users on the host's network"));
    EXPECT_THAT(Saying({"-U", "--private-network"}).with(network).problem(), IsEmpty());
    EXPECT_THAT(Saying({"-U", "--private-network"}).with("SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes").problem(),
                HasSubstr("private users"));
}

TEST(RetainedCapabilities, FollowTheNetworkAndTheUsers) {
    const auto retained = [](std::vector<std::string> words) {
        return retained_capabilities(Saying(std::move(words)).config());
    };
    const CapabilityMask low_ports = capability_mask(CAP_NET_BIND_SERVICE);
    const CapabilityMask network = capability_mask(CAP_NET_ADMIN);
    EXPECT_EQ(retained({}), kDefaultRetainedCapabilities);
    EXPECT_EQ(retained({"--private-network"}), kDefaultRetainedCapabilities | network);
    EXPECT_EQ(retained({"--private-network", "--drop-capability=CAP_NET_ADMIN"}), kDefaultRetainedCapabilities);
    EXPECT_EQ(retained({"-U"}), kDefaultRetainedCapabilities & ~low_ports);
    EXPECT_EQ(retained({"-U", "--capability=CAP_NET_BIND_SERVICE"}), kDefaultRetainedCapabilities & ~low_ports);
    EXPECT_EQ(retained({"--private-users=700000"}), kDefaultRetainedCapabilities & ~low_ports);
    EXPECT_EQ(retained({"--private-users=identity"}), kDefaultRetainedCapabilities);
    EXPECT_EQ(retained({"-U", "--private-network"}), kDefaultRetainedCapabilities | network);
}

} // namespace
} // namespace nspawn
