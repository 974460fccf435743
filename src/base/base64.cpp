#include "base/base64.hpp"

#include <cstdint>

namespace nspawn {

namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace

std::string to_base64(std::string_view bytes) {
    std::string text;
    for (size_t at = 0; at < bytes.size(); at += 3) {
        uint32_t group = 0;
        for (size_t i = 0; i < 3; ++i) {
            group = group << 8 | (at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : 0U);
        }
        for (size_t i = 0; i < 4; ++i) {
            text += at + i <= bytes.size() ? kDigits[group >> (18 - 6 * i) & 0x3f] : '=';
        }
    }
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    std::string bytes;
    for (size_t at = 0; at < text.size(); at += 4) {
        uint32_t group = 0;
        size_t padding = 0;
        for (size_t i = 0; i < 4; ++i) {
            const size_t digit = kDigits.find(text[at + i]);
            const bool pad = text[at + i] == '=' && at + 4 == text.size() && i >= 2;
            if (!pad && (digit == std::string_view::npos || padding > 0)) {
                return std::nullopt;
            }
            padding += pad ? 1 : 0;
            group = group << 6 | static_cast<uint32_t>(pad ? 0 : digit);
        }
        for (size_t i = 0; i + padding < 3; ++i) {
            bytes += static_cast<char>(group >> (16 - 8 * i) & 0xff);
        }
    }
    return bytes;
}

} // namespace nspawn
