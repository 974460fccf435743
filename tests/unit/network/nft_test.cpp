#include "network/nft.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace nspawn {
namespace {

TEST(Nft, WhatItPrintsStandsForAnErrno) {
    EXPECT_EQ(error_number("Error: Could not process rule: File exists\nadd element …"), EEXIST);
    EXPECT_EQ(error_number("Error: No such file or directory; did you mean …"), ENOENT);
    EXPECT_EQ(error_number("Operation not permitted (you must be root)"), EPERM);
    EXPECT_EQ(error_number("Error: Could not process rule: Operation not supported"), EOPNOTSUPP);
    EXPECT_EQ(error_number("Error: syntax error"), EIO);
}

TEST(Nft, AMistakeIsOneLine) {
    Nft nft;
    EXPECT_NE(nft.run("no such command\nat all"), 0);
    EXPECT_NE(nft.last_error(), "");
    EXPECT_EQ(nft.last_error().find('\n'), std::string::npos);
}

} // namespace
} // namespace nspawn
