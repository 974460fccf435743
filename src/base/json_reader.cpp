#include "base/json_reader.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nspawn {

namespace {

using Sax = nlohmann::json_sax<nlohmann::json>;

// Builds the values; false from any event ends the reading.
class Builder : public Sax {
public:
    Builder(JsonNode& root, size_t deepest) : root_(root), deepest_(deepest) {}

    [[nodiscard]] const std::string& problem() const { return problem_; }

    bool null() override { return place({}); }
    bool boolean(bool value) override { return place({.kind = JsonNode::Kind::boolean, .boolean = value}); }
    bool number_integer(number_integer_t value) override {
        return place({.kind = JsonNode::Kind::integer, .integer = value});
    }
    bool number_unsigned(number_unsigned_t value) override {
        return value > INT64_MAX ? place({.kind = JsonNode::Kind::large_integer, .large_integer = value})
                                 : place({.kind = JsonNode::Kind::integer, .integer = static_cast<int64_t>(value)});
    }
    bool number_float(number_float_t value, const string_t& /*text*/) override {
        return place({.kind = JsonNode::Kind::real, .real = value});
    }
    bool string(string_t& value) override { return place({.kind = JsonNode::Kind::string, .text = std::move(value)}); }
    bool binary(binary_t& /*value*/) override { return false; } // not in text
    bool start_object(size_t /*size*/) override { return enter({.kind = JsonNode::Kind::object}); }
    bool start_array(size_t /*size*/) override { return enter({.kind = JsonNode::Kind::array}); }
    bool end_object() override { return leave(); }
    bool end_array() override { return leave(); }

    bool key(string_t& name) override {
        auto& members = open_.back()->members;
        const auto same = [&](const auto& member) { return member.first == name; };
        if (std::any_of(members.begin(), members.end(), same)) {
            return fail(fmt::format("the key \"{}\" is there twice", printable(name)));
        }
        members.emplace_back(std::move(name), JsonNode());
        return true;
    }

    bool parse_error(size_t position, const std::string& /*token*/,
                     const nlohmann::detail::exception& /*what*/) override {
        return fail(fmt::format("not valid JSON at byte {}", position));
    }

private:
    bool fail(std::string problem) {
        problem_ = std::move(problem);
        return false;
    }

    JsonNode* store(JsonNode&& value) {
        if (open_.empty()) {
            root_ = std::move(value);
            return &root_;
        }
        JsonNode& parent = *open_.back();
        if (parent.kind == JsonNode::Kind::object) {
            parent.members.back().second = std::move(value);
            return &parent.members.back().second;
        }
        return &parent.items.emplace_back(std::move(value));
    }

    bool place(JsonNode&& value) {
        store(std::move(value));
        return true;
    }

    // A pointer to a child stays good: while it is open nothing is added to its parent.
    bool enter(JsonNode&& value) {
        if (open_.size() == deepest_) {
            return fail(fmt::format("nested deeper than {} levels", deepest_));
        }
        open_.push_back(store(std::move(value)));
        return true;
    }

    bool leave() {
        open_.pop_back();
        return true;
    }

    JsonNode& root_;
    size_t deepest_;
    std::vector<JsonNode*> open_;
    std::string problem_;
};

} // namespace

JsonNode parse_json(std::string_view text, size_t deepest) {
    JsonNode root;
    Builder builder(root, deepest);
    if (!nlohmann::json::sax_parse(text, static_cast<Sax*>(&builder)) || !builder.problem().empty()) {
        throw Error(builder.problem().empty() ? "not valid JSON" : builder.problem());
    }
    return root;
}

} // namespace nspawn
