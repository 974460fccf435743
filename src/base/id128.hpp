// id128.hpp — 128-bit ids: machine ids, boot ids, UUIDs. Source: machine-id(5), RFC 4122.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nspawn {

struct Id128 {
    std::array<uint8_t, 16> bytes{};

    // 32 hex digits, or the 8-4-4-4-12 form.
    static std::optional<Id128> parse(std::string_view text);
    static Id128 random(); // version 4, variant DCE
    [[nodiscard]] bool is_null() const;
    [[nodiscard]] std::string plain() const; // 32 hex digits
    [[nodiscard]] std::string uuid() const;  // with dashes
    bool operator==(const Id128&) const = default;
};

// `count` bytes from getrandom(2); never fails on a kernel that has been seeded.
void fill_random(void* buffer, size_t count);
uint64_t random_u64();

} // namespace nspawn
