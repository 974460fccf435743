// json_reader.hpp — JSON text from somebody else, read into plain values, with limits.
//
// Strict: one value and nothing behind it, valid UTF-8, no key twice in one object, not nested deeper than a limit.
// Keys keep their order. Knows nothing of what the values mean. Source: RFC 8259.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nspawn {

struct JsonNode {
    enum class Kind { null, boolean, integer, large_integer, real, string, array, object };

    Kind kind = Kind::null;
    bool boolean = false;
    int64_t integer = 0;        // every whole number that fits
    uint64_t large_integer = 0; // what is beyond that
    double real = 0;
    std::string text = {};
    std::vector<JsonNode> items = {};                           // of an array
    std::vector<std::pair<std::string, JsonNode>> members = {}; // of an object
};

// Throws Error: what is wrong and at which byte.
JsonNode parse_json(std::string_view text, size_t deepest = 32);

} // namespace nspawn
