#include "config/machine_name.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

TEST(MachineName, ValidOnes) {
    for (const std::string& name : {std::string("a"), std::string("web"), std::string("Web-01.example"),
                                    std::string("1"), std::string("a.b.c"), std::string(64, 'x')}) {
        EXPECT_TRUE(is_machine_name(name)) << name;
    }
}

TEST(MachineName, InvalidOnesSayWhy) {
    EXPECT_EQ(machine_name_problem(""), "is empty");
    EXPECT_EQ(machine_name_problem(std::string(65, 'x')), "is longer than 64 characters");
    for (const char* name : {"a_b", "a b", "a/b", "ä", "a\nb", "a:b", "*"}) {
        EXPECT_EQ(machine_name_problem(name), "has a character other than ASCII letters, digits, '-' and '.'") << name;
    }
    for (const char* name : {".a", "a.", "a..b", ".", ".."}) {
        EXPECT_EQ(machine_name_problem(name), "has a dot at an end or two in a row") << name;
    }
    for (const char* name : {"-a", "a-", "a-.b", "a.-b", "-"}) {
        EXPECT_EQ(machine_name_problem(name), "has a '-' at an end or next to a dot") << name;
    }
}

TEST(MachineName, IsMadeFromTheNameOfATree) {
    EXPECT_EQ(machine_name_from("debian"), "debian");
    EXPECT_EQ(machine_name_from("my_tree (old)"), "mytreeold");
    EXPECT_EQ(machine_name_from("..a..b.."), "a.b");
    EXPECT_EQ(machine_name_from("-a-.-b-"), "a.b");
    EXPECT_EQ(machine_name_from("a.-.b"), "a.b");
    EXPECT_EQ(machine_name_from(std::string(70, 'x')), std::string(64, 'x'));
    EXPECT_EQ(machine_name_from(std::string(63, 'x') + ".yz"), std::string(63, 'x'));
    EXPECT_EQ(machine_name_from(std::string(62, 'x') + ".yz"), std::string(62, 'x') + ".y");
    EXPECT_EQ(machine_name_from(std::string(63, 'x') + "-y"), std::string(63, 'x'));
    EXPECT_EQ(machine_name_from(""), std::nullopt);
    EXPECT_EQ(machine_name_from("___"), std::nullopt);
    EXPECT_EQ(machine_name_from("-.-"), std::nullopt);
}

TEST(MachineName, WhatIsMadeIsAlwaysValid) {
    const std::string alphabet = "a-._";
    for (unsigned code = 0; code < 4096; ++code) {
        std::string text;
        for (unsigned rest = code; rest != 0; rest /= 4) {
            text += alphabet[rest % 4];
        }
        for (const size_t padding : {size_t{0}, size_t{60}, size_t{62}}) {
            if (const auto name = machine_name_from(std::string(padding, 'x') + text)) {
                EXPECT_EQ(machine_name_problem(*name), std::nullopt) << text;
            }
        }
    }
}

TEST(UserName, WhatCouldBeInAPasswdFile) {
    for (const char* name : {"root", "0", "65534", "_apt", "systemd-network", "a.b", "web$"}) {
        EXPECT_TRUE(is_user_name(name)) << name;
    }
    for (const std::string& name :
         {std::string(), std::string("-u"), std::string("a:b"), std::string("a/b"), std::string("a\nb"),
          std::string("a b"), std::string("."), std::string(300, 'a'), std::string("a\0b", 3)}) {
        EXPECT_FALSE(is_user_name(name)) << name;
    }
}

} // namespace
} // namespace nspawn
