#include "image/os_release.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <optional>

namespace nspawn {

namespace {

constexpr size_t kMaxText = size_t{64} * 1024;
constexpr size_t kMaxValue = 4096;
constexpr size_t kMaxFields = 256;

bool is_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    }) && !(name[0] >= '0' && name[0] <= '9');
}

// The subset of shell quoting that os-release(5) allows.
std::optional<std::string> unquote(std::string_view text) {
    std::string value;
    char quote = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            return std::nullopt;
        }
        if (quote == 0 && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == quote) {
            quote = 0;
        } else if (c == '\\' && quote != '\'') {
            if (++i == text.size()) {
                return std::nullopt;
            }
            const bool special = quote == 0 || std::string_view("\"\\$`").find(text[i]) != std::string_view::npos;
            value.append(special ? "" : "\\").push_back(text[i]);
        } else {
            value.push_back(c);
        }
    }
    return quote == 0 && value.size() <= kMaxValue ? std::optional(value) : std::nullopt;
}

void assign(OsReleaseFields& fields, std::string_view name, std::string value) {
    const auto known = std::ranges::find(fields, name, &std::pair<std::string, std::string>::first);
    if (known != fields.end()) {
        known->second = std::move(value);
    } else if (fields.size() < kMaxFields) {
        fields.emplace_back(name, std::move(value));
    }
}

} // namespace

OsReleaseFields parse_os_release(std::string_view text) {
    OsReleaseFields fields;
    for (std::string_view line : split(text.substr(0, kMaxText), '\n')) {
        line = trim(line);
        const size_t equals = line.find('=');
        if (line.starts_with('#') || equals == std::string_view::npos || !is_name(line.substr(0, equals))) {
            continue;
        }
        if (auto value = unquote(line.substr(equals + 1))) {
            assign(fields, line.substr(0, equals), std::move(*value));
        }
    }
    return fields;
}

OsReleaseFields host_os_release_fields(std::string_view text) {
    OsReleaseFields fields = parse_os_release(text);
    std::erase_if(fields, [](const auto& field) {
        return field.second.empty() || (field.first != "ID" && field.first != "VERSION_ID" &&
                                        field.first != "BUILD_ID" && field.first != "VARIANT_ID");
    });
    return fields;
}

} // namespace nspawn
