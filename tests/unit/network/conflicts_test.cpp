#include "network/conflicts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Conflicts, AChainThatDropsWhatIsForwardedIsNamed) {
    EXPECT_THAT(dropping_chains(R"({"nftables": [{"metainfo": {"version": "1.0.6"}},
        {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1, "type": "filter",
                   "hook": "forward", "prio": 0, "policy": "drop"}},
        {"chain": {"family": "inet", "table": "f", "name": "input", "type": "filter", "hook": "input", "prio": 0,
                   "policy": "drop"}},
        {"chain": {"family": "inet", "table": "f", "name": "forward", "type": "filter", "hook": "forward", "prio": 0,
                   "policy": "accept"}},
        {"chain": {"family": "inet", "table": "f", "name": "mine"}}]})"),
                ElementsAre("ip filter FORWARD"));
}

TEST(Conflicts, WhatIsNotUnderstoodSaysNothing) {
    EXPECT_THAT(dropping_chains(""), IsEmpty());
    EXPECT_THAT(dropping_chains("[]"), IsEmpty());
    EXPECT_THAT(dropping_chains(R"({"nftables": [{"chain": 7}, 3, {"chain": {"hook": 1}}]})"), IsEmpty());
}

} // namespace
} // namespace nspawn
