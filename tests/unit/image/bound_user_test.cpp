#include "base/error.hpp"
#include "image/bound_user.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

const AccountFiles kHost{"root:x:0:0::/root:/bin/sh\n"
                         "joe:x:1000:1001:Joe Doe,,,:/home/joe:/bin/zsh\n"
                         "ann:x:1002:1002::/home/ann:/bin/sh\n"
                         "lone:x:1003:1003::/home/lone:/bin/sh\n"
                         "homeless:x:1004:1004::nowhere:/bin/sh\n"
                         "nobody:x:65534:65534::/:/bin/false\n",
                         "root:x:0:\njoe:x:1001:ann\nann:x:1002:\nnobody:x:65534:\nhomeless:x:1004:\n",
                         "joe:$6$salt$hash:19000:0:99999:7:::\n"};
const AccountFiles kTree{"root:x:0:0::/root:/bin/sh\nsys:x:60514:5::/:/bin/sh\n", "root:x:0:\nweb:x:60516:\n", ""};

std::string problem(const std::vector<std::string>& names, const AccountFiles& tree = kTree) {
    try {
        (void)choose_bound_users(names, kHost, tree);
    } catch (const Error& error) {
        return error.message();
    }
    return "none";
}

TEST(BoundUser, GetsAnIdThatNoUserAndNoGroupOfTheTreeHas) {
    const auto users = choose_bound_users({"joe", "ann", "joe"}, kHost, kTree);
    ASSERT_EQ(users.size(), 2U); // each once
    EXPECT_EQ(users[0], (BoundUser{"joe", 1000, 1001, 60515, "/home/joe", "/bin/zsh", "Joe Doe", "$6$salt$hash"}));
    EXPECT_EQ(users[1].id, 60517U);
    EXPECT_EQ(users[1].password, "");
}

TEST(BoundUser, HasToBeAnOrdinaryUserWithAGroupAndAHome) {
    EXPECT_EQ(problem({"joe"}), "none");
    EXPECT_EQ(problem({"mary"}), "--bind-user=mary: the host has no such user");
    EXPECT_EQ(problem({"root"}), "--bind-user=root: the tree has a user or group of that name already");
    EXPECT_EQ(problem({"root"}, {}), "--bind-user=root: root and nobody cannot be bound");
    EXPECT_EQ(problem({"nobody"}), "--bind-user=nobody: root and nobody cannot be bound");
    EXPECT_EQ(problem({"lone"}), "--bind-user=lone: the host has no group of the same name");
    EXPECT_EQ(problem({"homeless"}), "--bind-user=homeless: the user has no home directory");
    EXPECT_EQ(problem({"joe"}, {"", "joe:x:7:\n", ""}),
              "--bind-user=joe: the tree has a user or group of that name already");
}

TEST(BoundUser, ATreeCanHaveNoIdLeft) {
    AccountFiles full;
    for (int id = 60514; id <= 60577; ++id) {
        full.passwd += "u" + std::to_string(id) + ":x:" + std::to_string(id) + ":1::/:/bin/sh\n";
    }
    EXPECT_EQ(problem({"joe"}, full), "--bind-user=joe: no id from 60514 to 60577 is free in the tree");
}

TEST(BoundUser, TakesThePlaceOfItsIdInTheMap) {
    IdMap map = shifted_id_map(0x80000);
    map_bound_users(map, choose_bound_users({"joe"}, kHost, kTree));
    EXPECT_EQ(map.users, (IdRanges{{0, 0x80000, 60515}, {60515, 1000, 1}, {60516, 0x80000 + 60516, 5020}}));
    EXPECT_EQ(map.groups, (IdRanges{{0, 0x80000, 60515}, {60515, 1001, 1}, {60516, 0x80000 + 60516, 5020}}));
    EXPECT_EQ(find_id_range_problem(map.users), "");
}

TEST(BoundUser, CannotBeOneWhoTheContainerHasAlready) {
    IdMap identity = shifted_id_map(0);
    EXPECT_THROW(map_bound_users(identity, choose_bound_users({"joe"}, kHost, kTree)), Error);
}

} // namespace
} // namespace nspawn
