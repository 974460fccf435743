#include "base/error.hpp"
#include "image/user_database.hpp"
#include "tree_fixture.hpp"

#include <gmock/gmock.h>

namespace nspawn {

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kPasswd[] = "root:x:0:0:root:/root:/bin/bash\n"
                           "web:x:33:34:Web,,,:/var/www/:/usr/sbin/nologin\n"
                           "1000:x:7:8::/home/digits:/bin/sh\n"
                           "twin:x:33:99::/twin:/bin/sh\n";
constexpr char kGroup[] =
    "root:x:0:\nwww:x:34:web\naudio:x:29:web,root\nvideo:x:44:root,web\nvideo2:x:44:web\nwe:x:50:webb,we\n";

TEST(UserDatabase, FindsANameWithItsGroups) {
    const auto user = find_user_in(kPasswd, kGroup, "web");
    ASSERT_TRUE(user);
    EXPECT_EQ(user->uid, 33U);
    EXPECT_EQ(user->gid, 34U);
    EXPECT_EQ(user->home, "/var/www");
    EXPECT_EQ(user->shell, "/usr/sbin/nologin");
    EXPECT_THAT(user->groups, ElementsAre(29U, 44U)); // neither its own nor one twice
}

TEST(UserDatabase, AnUnknownNameIsNoError) { EXPECT_FALSE(find_user_in(kPasswd, kGroup, "nobody-here")); }

TEST(UserDatabase, ANumberFindsTheEntryOfThatUid) {
    const auto user = find_user_in(kPasswd, kGroup, "33");
    ASSERT_TRUE(user);
    EXPECT_EQ(user->name, "web"); // the first of two
    EXPECT_THAT(user->groups, ElementsAre(29U, 44U));
}

TEST(UserDatabase, ANumberWithoutEntryAlwaysWorks) {
    const auto user = find_user_in(kPasswd, kGroup, "4321");
    ASSERT_TRUE(user);
    EXPECT_EQ(user->uid, 4321U);
    EXPECT_EQ(user->gid, 4321U);
    EXPECT_EQ(user->home, "/");
    EXPECT_EQ(user->name, "4321");
    EXPECT_THAT(user->groups, IsEmpty());
}

TEST(UserDatabase, ANameOfDigitsBeatsTheNumber) { EXPECT_EQ(find_user_in(kPasswd, kGroup, "1000")->uid, 7U); }

TEST(UserDatabase, NumbersThatAreNoUidAreRefused) {
    for (const char* text : {"4294967295", "4294967296", "65535", "99999999999999999999"}) {
        EXPECT_THROW(find_user_in("", "", text), Error) << text;
    }
    EXPECT_EQ(find_user_in("", "", "4294967294")->uid, 4294967294U);
}

TEST(UserDatabase, MalformedLinesAreSkipped) {
    EXPECT_FALSE(find_user_in("web:x:33:34::/home\n", "", "web"));                 // a field short
    EXPECT_FALSE(find_user_in("web:x:33:34::/home:/bin/sh:more\n", "", "web"));    // one too many
    EXPECT_FALSE(find_user_in("web:x:-1:34::/home:/bin/sh\n", "", "web"));         // no uid
    EXPECT_FALSE(find_user_in("web:x:33:4294967295::/home:/bin/sh\n", "", "web")); // no gid
    EXPECT_FALSE(find_user_in("web:x:33:34::/ho\x1bme:/bin/sh\n", "", "web"));     // talks to terminals
    EXPECT_FALSE(find_user_in("#web:x:33:34::/home:/bin/sh\n", "", "#web"));
    EXPECT_FALSE(find_user_in("+web:x:33:34::/home:/bin/sh\n", "", "+web"));
    EXPECT_FALSE(find_user_in("::0:0::/:/bin/sh\n", "", ""));
    EXPECT_TRUE(find_user_in("bad\n\n:::\nweb:x:33:34::/home:/bin/sh", "", "web")); // the rest still counts
}

TEST(UserDatabase, RelativeHomeAndShellAreNotUsed) {
    const auto user = find_user_in("web:x:33:34::home/../..:bin/sh\n", "", "web");
    ASSERT_TRUE(user);
    EXPECT_EQ(user->home, "/");
    EXPECT_EQ(user->shell, "");
}

TEST(UserDatabase, OverLongLinesAreSkipped) {
    const std::string line = "web:x:33:34:" + std::string(5000, 'g') + ":/home:/bin/sh\n";
    EXPECT_FALSE(find_user_in(line, "", "web"));
    const std::string group = "a:x:1:" + std::string(5000, 'g') + ",web\nb:x:2:web\n";
    EXPECT_THAT(find_user_in("web:x:33:34::/:/bin/sh\n", group, "web")->groups, ElementsAre(2U));
}

TEST(UserDatabase, TheNumberOfEntriesIsBounded) {
    std::string passwd;
    for (int i = 0; i < 70000; ++i) {
        passwd += "u:::::\n";
    }
    EXPECT_FALSE(find_user_in(passwd + "web:x:33:34::/:/bin/sh\n", "", "web"));
}

class UserFiles : public TreeFixture {};

TEST_F(UserFiles, AreReadFromTheTree) {
    file("tree/etc/passwd", kPasswd);
    file("tree/etc/group", kGroup);
    EXPECT_EQ(find_user(tree(), "web")->uid, 33U);
}

TEST_F(UserFiles, AreNeverThoseOfTheHost) {
    file("etc/passwd", "web:x:1:1::/:/bin/sh\n");
    link("tree/etc", "../etc");
    EXPECT_FALSE(find_user(tree(), "web"));
    EXPECT_EQ(find_user(tree(), "5")->uid, 5U);
}

TEST_F(UserFiles, AFifoADeviceOrALoopIsAsGoodAsNone) {
    fifo("tree/etc/passwd");
    link("tree/etc/group", "group");
    EXPECT_FALSE(find_user(tree(), "web"));
    EXPECT_EQ(find_user(tree(), "5")->uid, 5U);
}

TEST_F(UserFiles, AHugeFileIsNotRead) {
    file("tree/etc/passwd", std::string(2 * 1024 * 1024, '\n') + kPasswd);
    EXPECT_FALSE(find_user(tree(), "web"));
}

} // namespace

} // namespace nspawn
