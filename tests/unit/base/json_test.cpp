#include "base/json.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace nspawn {
namespace {

TEST(Json, KeepsTheOrderOfKeys) {
    const Json json = Json::object({{"zeta", 1}, {"alpha", Json::object({{"b", true}, {"a", false}})}});
    EXPECT_EQ(json.dump(false), R"({"zeta":1,"alpha":{"b":true,"a":false}})");
}

TEST(Json, KnowsItsTypes) {
    Json list = Json::array();
    list.add("text").add(-1).add(std::numeric_limits<uint64_t>::max()).add(false).add(Json()).add(0.5);
    list.add(std::optional<int>()).add(std::vector<std::string>{"a", "b"});
    EXPECT_EQ(list.dump(false), R"(["text",-1,18446744073709551615,false,null,0.5,null,["a","b"]])");
}

TEST(Json, ASecondSetReplaces) {
    Json json = Json::object();
    json.set("a", 1).set("a", "two");
    EXPECT_EQ(json.dump(false), R"({"a":"two"})");
}

TEST(Json, EscapesWhatCouldBreakALineOrATerminal) {
    EXPECT_EQ(Json("a\n\x1b[31m\"\\").dump(false), R"("a\n\u001b[31m\"\\")");
    EXPECT_EQ(Json("\xff").dump(false), "\"\xef\xbf\xbd\"");
}

TEST(Json, CopiesAreIndependent) {
    Json first = Json::object({{"a", 1}});
    Json second = first;
    second.set("a", 2);
    first = Json(first);
    EXPECT_EQ(first.dump(false), R"({"a":1})");
    EXPECT_EQ(second.dump(true), "{\n  \"a\": 2\n}");
}

} // namespace
} // namespace nspawn
