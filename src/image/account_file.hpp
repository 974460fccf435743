// account_file.hpp — lines of passwd(5), group(5) and shadow(5), one after the other.
//
// The text is hostile input: at most 1 MiB of it, lines up to 4096 bytes, 65536 entries; what is longer, holds control
// characters or has too few fields is skipped, and so are comments and the compat lines of nsswitch.conf(5). Allocates
// nothing.
#pragma once

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace nspawn {

inline constexpr size_t kMaxAccountFile = size_t{1024} * 1024;

inline std::optional<uint32_t> parse_account_id(std::string_view text) {
    const auto number = parse_unsigned(text);
    // (uid_t) -1 means "no change" to the kernel, and its 16-bit form is what old calls make of it.
    if (!number || *number >= UINT32_MAX || *number == 0xffff) {
        return std::nullopt;
    }
    return static_cast<uint32_t>(*number);
}

// Calls `visit` with the fields of each well-formed line until it answers false. The last field holds the rest of the
// line.
template <size_t Count, typename Visit>
void for_each_account(std::string_view text, Visit visit) {
    constexpr size_t kMaxLine = 4096;
    constexpr size_t kMaxEntries = 65536;
    // Fields end up in the environment, in messages and in paths.
    const auto is_clean = [](std::string_view line) {
        return std::ranges::none_of(line, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    };
    text = text.substr(0, kMaxAccountFile);
    for (size_t entries = 0; !text.empty() && entries < kMaxEntries; ++entries) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.size() > kMaxLine || line.starts_with('#') || line.starts_with('+') || line.starts_with('-') ||
            !is_clean(line)) {
            continue;
        }
        std::array<std::string_view, Count> fields;
        size_t count = 0;
        while (count < Count - 1 && line.find(':') != std::string_view::npos) {
            fields[count++] = line.substr(0, line.find(':'));
            line.remove_prefix(fields[count - 1].size() + 1);
        }
        fields[count++] = line;
        if (count == Count && !fields[0].empty() && !visit(std::span<const std::string_view, Count>(fields))) {
            return;
        }
    }
}

} // namespace nspawn
