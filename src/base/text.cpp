#include "base/text.hpp"

#include <algorithm>
#include <charconv>

namespace nspawn {

namespace {

constexpr std::string_view kWhitespace = " \t\n\r";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_whitespace(char c) { return kWhitespace.find(c) != std::string_view::npos; }

void append_utf8(std::string& out, uint32_t code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xc0 | code >> 6);
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0 | code >> 12);
        out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | code >> 18);
        out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
        out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    }
}

// Number of digits that follow the letter of a numeric escape, and their base.
struct NumericEscape {
    char letter;
    size_t digits;
    bool unicode;
};
constexpr NumericEscape kNumericEscapes[] = {{'x', 2, false}, {'u', 4, true}, {'U', 8, true}};

// Reads one escape behind the backslash; `text` starts at the letter and is advanced past it.
bool read_escape(std::string_view& text, std::string& out) {
    if (text.empty()) {
        return false;
    }
    const char letter = text.front();
    static constexpr std::string_view kLetters = "abfnrtv\\\"'s";
    static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"' ";
    if (const size_t at = kLetters.find(letter); at != std::string_view::npos) {
        out += kMeanings[at];
        text.remove_prefix(1);
        return true;
    }
    for (const NumericEscape& escape : kNumericEscapes) {
        if (escape.letter != letter) {
            continue;
        }
        if (text.size() < 1 + escape.digits) {
            return false;
        }
        const auto value = parse_unsigned(text.substr(1, escape.digits), 16);
        if (!value || *value > 0x10ffff || (escape.unicode && *value >= 0xd800 && *value <= 0xdfff)) {
            return false;
        }
        if (escape.unicode) {
            append_utf8(out, static_cast<uint32_t>(*value));
        } else {
            out += static_cast<char>(*value);
        }
        text.remove_prefix(1 + escape.digits);
        return true;
    }
    if (letter >= '0' && letter <= '7' && text.size() >= 3) {
        const auto value = parse_unsigned(text.substr(0, 3), 8);
        if (!value || *value > 255) {
            return false;
        }
        out += static_cast<char>(*value);
        text.remove_prefix(3);
        return true;
    }
    return false;
}

// Length of the valid UTF-8 sequence at the start of `text`, 0 when there is none.
size_t utf8_length(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    if (first < 0x80) {
        return 1;
    }
    const size_t length = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
    if (length == 0 || first >= 0xf5 || text.size() < length) {
        return 0;
    }
    for (size_t i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

} // namespace

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_whitespace(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_whitespace(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const size_t at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(at + 1);
    }
}

std::string_view take_until(std::string_view& text, char separator) {
    const size_t end = text.find(separator);
    const std::string_view front = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return front;
}

std::vector<std::string_view> split_any(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const size_t start = text.find_first_not_of(separators);
        if (start == std::string_view::npos) {
            break;
        }
        text.remove_prefix(start);
        const size_t end = std::min(text.find_first_of(separators), text.size());
        parts.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return parts;
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

std::optional<bool> parse_boolean(std::string_view text) {
    for (const std::string_view word : {"1", "yes", "y", "true", "t", "on"}) {
        if (equal_ignoring_case(text, word)) {
            return true;
        }
    }
    for (const std::string_view word : {"0", "no", "n", "false", "f", "off"}) {
        if (equal_ignoring_case(text, word)) {
            return false;
        }
    }
    return std::nullopt;
}

std::optional<uint64_t> parse_unsigned(std::string_view text, int base) {
    uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, value, base);
    if (text.empty() || problem != std::errc() || stop != end) {
        return std::nullopt;
    }
    return value;
}

std::optional<int64_t> parse_signed(std::string_view text) {
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) {
            return std::nullopt;
        }
    }
    int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, value);
    if (text.empty() || problem != std::errc() || stop != end) {
        return std::nullopt;
    }
    return value;
}

std::optional<std::vector<std::string>> split_words(std::string_view text) {
    std::vector<std::string> words;
    for (;;) {
        while (!text.empty() && is_whitespace(text.front())) {
            text.remove_prefix(1);
        }
        if (text.empty()) {
            return words;
        }
        std::string word;
        char quote = '\0';
        while (!text.empty() && (quote != '\0' || !is_whitespace(text.front()))) {
            const char c = text.front();
            text.remove_prefix(1);
            if (c == '\\') {
                if (!read_escape(text, word)) {
                    return std::nullopt;
                }
            } else if (quote != '\0' && c == quote) {
                quote = '\0';
            } else if (quote == '\0' && (c == '"' || c == '\'')) {
                quote = c;
            } else {
                word += c;
            }
        }
        if (quote != '\0') {
            return std::nullopt;
        }
        words.push_back(std::move(word));
    }
}

std::optional<std::string> unescape_c(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (c != '\\') {
            out += c;
        } else if (!read_escape(text, out)) {
            return std::nullopt;
        }
    }
    return out;
}

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto c = static_cast<unsigned char>(text.front());
        const size_t length = utf8_length(text);
        // C1 controls (U+0080 … U+009F) drive terminals as well as the C0 ones do.
        const bool c1 = length == 2 && c == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
        if (length == 0 || c < 0x20 || c == 0x7f || c1) {
            const size_t bytes = length == 0 ? 1 : length;
            for (size_t i = 0; i < bytes; ++i) {
                const auto byte = static_cast<unsigned char>(text[i]);
                out += "\\x";
                out += "0123456789abcdef"[byte >> 4];
                out += "0123456789abcdef"[byte & 15];
            }
            text.remove_prefix(bytes);
            continue;
        }
        out.append(text.substr(0, length));
        text.remove_prefix(length);
    }
    return out;
}

std::string shell_quote(std::string_view word) {
    // Not '~': at the beginning it is a home directory, and in bash also behind the '=' of "NAME=~".
    static constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,^";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) {
        return std::string(word);
    }
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c;
        }
    }
    return out += '\'';
}

} // namespace nspawn
