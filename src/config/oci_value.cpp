#include "config/oci_value.hpp"

#include "base/error.hpp"
#include "base/path.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

namespace nspawn {

void OciValue::fail(std::string_view why) const {
    throw Error(place_.empty() ? std::string(why) : fmt::format("{}: {}", printable(place_), why));
}

void OciValue::expect(JsonNode::Kind kind, std::string_view what) const {
    if (node_.kind != kind) {
        fail(fmt::format("not {}", what));
    }
}

const std::string& OciValue::text() const {
    expect(JsonNode::Kind::string, "a string");
    if (node_.text.find('\0') != std::string::npos) {
        fail("has a NUL character");
    }
    return node_.text;
}

std::string OciValue::path() const {
    const std::string path = simplified(text());
    if (!is_absolute(path) || !is_normalized(path)) {
        fail(fmt::format("'{}' is no absolute path without \"..\"", printable(path)));
    }
    return path;
}

bool OciValue::boolean() const {
    expect(JsonNode::Kind::boolean, "a boolean");
    return node_.boolean;
}

int64_t OciValue::integer(int64_t least, int64_t most) const {
    if (node_.kind != JsonNode::Kind::integer || node_.integer < least || node_.integer > most) {
        fail(fmt::format("not a whole number from {} to {}", least, most));
    }
    return node_.integer;
}

uint64_t OciValue::number() const {
    if (node_.kind == JsonNode::Kind::large_integer) {
        return node_.large_integer;
    }
    return static_cast<uint64_t>(integer(0, INT64_MAX));
}

std::vector<std::string> OciValue::texts() const {
    std::vector<std::string> list;
    each([&](const OciValue& element) { list.push_back(element.text()); });
    return list;
}

OciValue OciValue::require(std::string_view key) const {
    expect(JsonNode::Kind::object, "an object");
    for (const auto& [name, value] : node_.members) {
        if (name == key) {
            return {value, place_.empty() ? name : place_ + "." + name};
        }
    }
    fail(fmt::format("\"{}\" is missing", key));
}

} // namespace nspawn
