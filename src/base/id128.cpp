#include "base/id128.hpp"

#include "base/error.hpp"

#include <cerrno>

#include <sys/random.h>

namespace nspawn {

namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool dash_at(size_t position) { return position == 8 || position == 13 || position == 18 || position == 23; }

} // namespace

std::optional<Id128> Id128::parse(std::string_view text) {
    const bool dashed = text.size() == 36;
    if (!dashed && text.size() != 32) {
        return std::nullopt;
    }
    Id128 id;
    size_t digits = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        if (dashed && dash_at(i)) {
            if (text[i] != '-') {
                return std::nullopt;
            }
            continue;
        }
        const int value = hex_value(text[i]);
        if (value < 0) {
            return std::nullopt;
        }
        uint8_t& byte = id.bytes[digits / 2];
        byte = static_cast<uint8_t>(byte << 4 | value);
        ++digits;
    }
    return id;
}

Id128 Id128::random() {
    Id128 id;
    fill_random(id.bytes.data(), id.bytes.size());
    id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0f) | 0x40);
    id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3f) | 0x80);
    return id;
}

bool Id128::is_null() const { return *this == Id128{}; }

std::string Id128::plain() const {
    std::string text;
    for (const uint8_t byte : bytes) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

std::string Id128::uuid() const {
    std::string text = plain();
    for (const size_t position : {8, 13, 18, 23}) {
        text.insert(position, 1, '-');
    }
    return text;
}

void fill_random(void* buffer, size_t count) {
    auto* bytes = static_cast<uint8_t*>(buffer);
    while (count > 0) {
        const ssize_t got = getrandom(bytes, count, 0);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw_system_error(errno, "getrandom", "");
        }
        bytes += got;
        count -= static_cast<size_t>(got);
    }
}

uint64_t random_u64() {
    uint64_t value = 0;
    fill_random(&value, sizeof value);
    return value;
}

} // namespace nspawn
