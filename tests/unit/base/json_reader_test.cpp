#include "base/error.hpp"
#include "base/json_reader.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nspawn {
namespace {

using Kind = JsonNode::Kind;

std::string complaint(std::string_view text) {
    try {
        (void)parse_json(text);
    } catch (const Error& error) {
        return error.message();
    }
    return "";
}

TEST(JsonReader, ValuesOfEveryKind) {
    const JsonNode node = parse_json(R"({"b": true, "a": [null, -1, 18446744073709551615, 1.5, "x\u00e9"]})");
    ASSERT_EQ(node.kind, Kind::object);
    ASSERT_EQ(node.members.size(), 2U);
    EXPECT_EQ(node.members[0].first, "b") << "keys keep their order";
    EXPECT_TRUE(node.members[0].second.boolean);
    const JsonNode& array = node.members[1].second;
    ASSERT_EQ(array.items.size(), 5U);
    EXPECT_EQ(array.items[0].kind, Kind::null);
    EXPECT_EQ(array.items[1].integer, -1);
    EXPECT_EQ(array.items[2].kind, Kind::large_integer);
    EXPECT_EQ(array.items[2].large_integer, UINT64_MAX);
    EXPECT_EQ(array.items[3].real, 1.5);
    EXPECT_EQ(array.items[4].text, "x\xc3\xa9");
}

TEST(JsonReader, NestedObjectsAndArraysEndWhereTheyShould) {
    const JsonNode node = parse_json(R"({"a":{"b":[{"c":1},{"c":2}],"d":3},"e":4})");
    EXPECT_EQ(node.members[0].second.members[0].second.items[1].members[0].second.integer, 2);
    EXPECT_EQ(node.members[0].second.members[1].second.integer, 3);
    EXPECT_EQ(node.members[1].second.integer, 4);
}

TEST(JsonReader, WhatIsMalformedSaysWhere) {
    EXPECT_EQ(complaint("{\"a\":1,}"), "not valid JSON at byte 8");
    for (const char* text : {"", "{", "[1,2", "nul", "1 2", "{\"a\"}", "\"\xff\"", "[01]", "'a'", "// x\n1", "NaN"}) {
        EXPECT_TRUE(complaint(text).starts_with("not valid JSON")) << text << ": " << complaint(text);
    }
}

TEST(JsonReader, KeysAreThereOnce) {
    EXPECT_EQ(complaint(R"({"a":1,"b":{"a":2},"a":3})"), "the key \"a\" is there twice");
    EXPECT_EQ(complaint(R"([{"a":1},{"a":2}])"), "");
}

TEST(JsonReader, DepthIsLimited) {
    EXPECT_EQ(complaint(std::string(32, '[') + std::string(32, ']')), "");
    EXPECT_EQ(complaint(std::string(33, '[') + std::string(33, ']')), "nested deeper than 32 levels");
    EXPECT_EQ(complaint(std::string(1'000'000, '[')), "nested deeper than 32 levels");
}

} // namespace
} // namespace nspawn
