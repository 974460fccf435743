// oci_value.hpp — one value of an OCI bundle's config.json, which knows where it stands.
//
// Every getter checks the type and throws an Error that starts with the place: "process.rlimits[2].soft: …". Never
// interprets. A null counts as not there, as many writers of such files mean it.
#pragma once

#include "base/json_reader.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

class OciValue {
public:
    OciValue(const JsonNode& node, std::string place) : node_(node), place_(std::move(place)) {}

    [[nodiscard]] const std::string& place() const { return place_; }
    [[noreturn]] void fail(std::string_view why) const;

    [[nodiscard]] const std::string& text() const; // without NUL
    [[nodiscard]] std::string path() const;        // absolute and without "..", simplified
    [[nodiscard]] bool boolean() const;
    [[nodiscard]] int64_t integer(int64_t least, int64_t most) const;
    [[nodiscard]] uint64_t number() const; // the whole range of uint64_t
    [[nodiscard]] std::vector<std::string> texts() const;

    // visit(element) for each element of an array.
    template <typename Visit>
    void each(Visit visit) const {
        expect(JsonNode::Kind::array, "an array");
        for (size_t i = 0; i < node_.items.size(); ++i) {
            visit(OciValue(node_.items[i], place_ + "[" + std::to_string(i) + "]"));
        }
    }

    // visit(key, value) for each member of an object.
    template <typename Visit>
    void members(Visit visit) const {
        expect(JsonNode::Kind::object, "an object");
        for (const auto& [key, value] : node_.members) {
            if (value.kind != JsonNode::Kind::null) {
                visit(std::string_view(key), OciValue(value, place_.empty() ? key : place_ + "." + key));
            }
        }
    }

    // The member has to be there.
    [[nodiscard]] OciValue require(std::string_view key) const;

private:
    void expect(JsonNode::Kind kind, std::string_view what) const;

    const JsonNode& node_;
    std::string place_;
};

// What is known of one kind of object: a member each, and what is done with it.
template <typename Target>
struct OciField {
    std::string_view key;
    void (*read)(Target& target, const OciValue& value);
};

// Hands each member to its field; a key that no field has is an error.
template <typename Target, size_t count>
void read_members(Target& target, const OciValue& object, const OciField<Target> (&fields)[count]) {
    object.members([&](std::string_view key, const OciValue& value) {
        for (const OciField<Target>& field : fields) {
            if (field.key == key) {
                field.read(target, value);
                return;
            }
        }
        value.fail("unknown key");
    });
}

} // namespace nspawn
