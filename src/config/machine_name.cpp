#include "config/machine_name.hpp"

#include "base/text.hpp"

namespace nspawn {

namespace {

constexpr size_t kLongestName = 64; // HOST_NAME_MAX of the kernel's UTS namespace

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool may_be_in_name(char c) { return is_letter_or_digit(c) || c == '-' || c == '.'; }

std::string_view without_dashes_around(std::string_view label) {
    while (label.starts_with('-')) {
        label.remove_prefix(1);
    }
    while (label.ends_with('-')) {
        label.remove_suffix(1);
    }
    return label;
}

} // namespace

std::optional<std::string_view> machine_name_problem(std::string_view name) {
    if (name.empty()) {
        return "is empty";
    }
    if (name.size() > kLongestName) {
        return "is longer than 64 characters";
    }
    for (const char c : name) {
        if (!may_be_in_name(c)) {
            return "has a character other than ASCII letters, digits, '-' and '.'";
        }
    }
    for (const std::string_view label : split(name, '.')) {
        if (label.empty()) {
            return "has a dot at an end or two in a row";
        }
        if (label.starts_with('-') || label.ends_with('-')) {
            return "has a '-' at an end or next to a dot";
        }
    }
    return std::nullopt;
}

bool is_machine_name(std::string_view name) { return !machine_name_problem(name); }

std::optional<std::string> machine_name_from(std::string_view text) {
    std::string kept;
    for (const char c : text) {
        if (may_be_in_name(c)) {
            kept += c;
        }
    }
    std::string name;
    for (const std::string_view part : split_any(kept, ".")) {
        const size_t room = kLongestName - name.size();
        const size_t separator = name.empty() ? 0 : 1;
        if (room <= separator) {
            break;
        }
        // Cutting may leave a dash at the end, so the label is cut first and trimmed afterwards.
        const std::string_view label = without_dashes_around(without_dashes_around(part).substr(0, room - separator));
        if (!label.empty()) {
            name.append(separator, '.').append(label);
        }
    }
    if (name.empty()) {
        return std::nullopt;
    }
    return name;
}

bool is_user_name(std::string_view name) {
    constexpr size_t kLongestUserName = 256;
    if (name.empty() || name.size() > kLongestUserName || name.starts_with('-') || name == "." || name == "..") {
        return false;
    }
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte == 0x7f || c == ':' || c == '/' || c == ',') {
            return false;
        }
    }
    return true;
}

} // namespace nspawn
