#include "base/version_compare.hpp"

#include <algorithm>

namespace nspawn {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_separator(char c) { return c == '~' || c == '-' || c == '^' || c == '.'; }

void skip_what_does_not_count(std::string_view& text) {
    while (!text.empty() && !is_digit(text.front()) && !is_letter(text.front()) && !is_separator(text.front())) {
        text.remove_prefix(1);
    }
}

template <typename Belongs>
std::string_view take_while(std::string_view& text, Belongs belongs) {
    const auto* const end = std::find_if_not(text.begin(), text.end(), belongs);
    const std::string_view taken = text.substr(0, static_cast<size_t>(end - text.begin()));
    text.remove_prefix(taken.size());
    return taken;
}

bool take(std::string_view& text, char c) {
    if (!text.starts_with(c)) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

int sign(int value) { return (value > 0) - (value < 0); }

int compare_numbers(std::string_view a, std::string_view b) {
    a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
    b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
    return a.size() != b.size() ? (a.size() < b.size() ? -1 : 1) : sign(a.compare(b));
}

} // namespace

int compare_versions(std::string_view a, std::string_view b) {
    for (;;) {
        skip_what_does_not_count(a);
        skip_what_does_not_count(b);
        const bool tilde_a = take(a, '~');
        const bool tilde_b = take(b, '~');
        if (tilde_a != tilde_b) {
            return tilde_a ? -1 : 1;
        }
        if (tilde_a) {
            continue;
        }
        if (a.empty() || b.empty()) {
            return a.empty() == b.empty() ? 0 : a.empty() ? -1 : 1;
        }
        bool separated = false;
        for (const char separator : {'-', '^', '.'}) { // the older kind first
            const bool has_a = take(a, separator);
            const bool has_b = take(b, separator);
            if (has_a != has_b) {
                return has_a ? -1 : 1;
            }
            if (has_a) {
                separated = true;
                break;
            }
        }
        if (separated) {
            continue;
        }
        if (is_digit(a.front()) || is_digit(b.front())) {
            const std::string_view number_a = take_while(a, is_digit);
            const std::string_view number_b = take_while(b, is_digit);
            if (number_a.empty() != number_b.empty()) {
                return number_a.empty() ? -1 : 1;
            }
            if (const int order = compare_numbers(number_a, number_b); order != 0) {
                return order;
            }
            continue;
        }
        if (const int order = sign(take_while(a, is_letter).compare(take_while(b, is_letter))); order != 0) {
            return order;
        }
    }
}

} // namespace nspawn
