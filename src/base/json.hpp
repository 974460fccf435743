// json.hpp — JSON values to print, behind one small class.
//
// Owns building and writing; keys keep the order in which they were set, bytes that are no UTF-8 become U+FFFD.
// Never reads JSON. Only this file's implementation knows the library behind it, so that nobody else waits for it to
// compile. Source: RFC 8259.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nspawn {

class Json {
public:
    Json(); // null
    Json(std::string_view text);
    Json(const std::string& text) : Json(std::string_view(text)) {}
    Json(const char* text) : Json(std::string_view(text)) {}
    template <std::same_as<bool> T>
    Json(T value) : Json(from_bool(value)) {}
    template <std::signed_integral T>
    Json(T value) : Json(from_signed(value)) {}
    template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>) Json(T value) : Json(from_unsigned(value)) {}
    template <std::floating_point T>
    Json(T value) : Json(from_double(static_cast<double>(value))) {}
    // null when there is no value.
    template <typename T>
    Json(const std::optional<T>& value) : Json(value ? Json(*value) : Json()) {}
    template <typename T>
    Json(const std::vector<T>& items) : Json(array()) {
        for (const T& item : items) {
            add(Json(item));
        }
    }

    static Json object();
    static Json object(std::initializer_list<std::pair<std::string_view, Json>> members);
    static Json array();

    Json(const Json& other);
    Json(Json&& other) noexcept;
    Json& operator=(Json other) noexcept;
    ~Json();

    // Of an object. A key that is there already gets the new value.
    Json& set(std::string_view key, Json value);
    // Of an array.
    Json& add(Json value);

    // Indented by two spaces, or on one line; no newline at the end.
    [[nodiscard]] std::string dump(bool indented = true) const;

private:
    struct Value;
    static Json from_bool(bool value);
    static Json from_signed(int64_t value);
    static Json from_unsigned(uint64_t value);
    static Json from_double(double value);

    std::unique_ptr<Value> value_;
};

} // namespace nspawn
