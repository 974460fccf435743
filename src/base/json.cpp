#include "base/json.hpp"

#include <nlohmann/json.hpp>

namespace nspawn {

struct Json::Value {
    nlohmann::ordered_json json;
};

Json::Json() : value_(std::make_unique<Value>()) {}
Json::Json(std::string_view text) : value_(std::make_unique<Value>(Value{std::string(text)})) {}
Json::Json(const Json& other) : value_(std::make_unique<Value>(*other.value_)) {}
Json::Json(Json&& other) noexcept = default;
Json::~Json() = default;

Json& Json::operator=(Json other) noexcept {
    value_ = std::move(other.value_);
    return *this;
}

Json Json::from_bool(bool value) {
    Json result;
    result.value_->json = value;
    return result;
}

Json Json::from_signed(int64_t value) {
    Json result;
    result.value_->json = value;
    return result;
}

Json Json::from_unsigned(uint64_t value) {
    Json result;
    result.value_->json = value;
    return result;
}

Json Json::from_double(double value) {
    Json result;
    result.value_->json = value;
    return result;
}

Json Json::object() {
    Json result;
    result.value_->json = nlohmann::ordered_json::object();
    return result;
}

Json Json::object(std::initializer_list<std::pair<std::string_view, Json>> members) {
    Json result = object();
    for (const auto& [key, value] : members) {
        result.set(key, value);
    }
    return result;
}

Json Json::array() {
    Json result;
    result.value_->json = nlohmann::ordered_json::array();
    return result;
}

Json& Json::set(std::string_view key, Json value) {
    value_->json[std::string(key)] = std::move(value.value_->json);
    return *this;
}

Json& Json::add(Json value) {
    value_->json.push_back(std::move(value.value_->json));
    return *this;
}

std::string Json::dump(bool indented) const {
    return value_->json.dump(indented ? 2 : -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

} // namespace nspawn
