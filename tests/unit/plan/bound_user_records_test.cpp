#include "plan/bound_user_records.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace nspawn {
namespace {

const BoundUser kJoe{"joe", 1000, 1001, 60514, "/home/joe", "/bin/zsh", "", "$6$x"};

const MakeFile* file_at(const std::vector<Operation>& operations, std::string_view path) {
    for (const Operation& operation : operations) {
        const auto* const file = std::get_if<MakeFile>(&operation);
        if (file != nullptr && file->path == path) {
            return file;
        }
    }
    return nullptr;
}

TEST(BoundUserRecords, TellWhatTheUserDatabaseNeeds) {
    const auto operations = bound_user_records({kJoe}, Config{});
    const MakeFile* const user = file_at(operations, "/run/host/userdb/joe.user");
    ASSERT_NE(user, nullptr);
    EXPECT_EQ(user->content, R"({"userName":"joe","uid":60514,"gid":60514,"disposition":"regular",)"
                             R"("homeDirectory":"/run/host/home/joe","service":"io.systemd.NSpawn"})"
                             "\n");
    const MakeFile* const group = file_at(operations, "/run/host/userdb/joe.group");
    ASSERT_NE(group, nullptr);
    EXPECT_EQ(group->content, R"({"groupName":"joe","gid":60514,"disposition":"regular","service":"io.systemd.NSpawn"})"
                              "\n");
}

TEST(BoundUserRecords, APasswordIsRootsToRead) {
    const auto operations = bound_user_records({kJoe}, Config{});
    const MakeFile* const file = file_at(operations, "/run/host/userdb/joe.user-privileged");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(file->mode, 0600U);
    EXPECT_EQ(file->content, "{\"privileged\":{\"hashedPassword\":[\"$6$x\"]}}\n");
    BoundUser without = kJoe;
    without.password.clear();
    EXPECT_EQ(file_at(bound_user_records({without}, Config{}), "/run/host/userdb/joe.user-privileged"), nullptr);
}

TEST(BoundUserRecords, AShellIsToldWhenAskedFor) {
    Config config;
    config.bind_user_shell = true;
    const auto kept = bound_user_records({kJoe}, config);
    EXPECT_NE(file_at(kept, "/run/host/userdb/joe.user")->content.find(R"("shell":"/bin/zsh")"), std::string::npos);
    config.bind_user_shell_path = "/bin/other";
    config.bind_user_groups = {"wheel"};
    const auto other = bound_user_records({kJoe}, config);
    const std::string& content = file_at(other, "/run/host/userdb/joe.user")->content;
    EXPECT_NE(content.find(R"("shell":"/bin/other")"), std::string::npos);
    EXPECT_NE(content.find(R"("memberOf":["wheel"])"), std::string::npos);
}

TEST(BoundUserRecords, AreFoundByNumberToo) {
    const auto operations = bound_user_records({kJoe}, Config{});
    const bool found = std::ranges::any_of(operations, [](const Operation& operation) {
        const auto* const link = std::get_if<MakeSymlink>(&operation);
        return link != nullptr && link->path == "/run/host/userdb/60514.user" && link->target == "joe.user";
    });
    EXPECT_TRUE(found);
}

} // namespace
} // namespace nspawn
