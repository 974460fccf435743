// Capabilities and the system call filter.
#include "config/apply.hpp"
#include "linux/capability.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn::apply {

namespace {

// A list in a settings file is separated by blanks, one on the command line by commas.
CapabilityMask parse_capabilities(Draft& draft, const Value& value) {
    CapabilityMask mask = 0;
    for (const std::string_view word : split_any(value.text, value.from_file() ? " \t\n\r" : ", \t\n\r")) {
        if (word == "all") {
            mask = ~CapabilityMask{0};
        } else if (const auto number = parse_capability(word)) {
            mask |= capability_bit(*number);
        } else {
            reject_word(draft, value,
                        fmt::format("\"{}\" is not a capability (--capability=help lists them)",
                                    printable(word.substr(0, 80))));
        }
    }
    return mask;
}

bool is_system_call_or_group(std::string_view word) {
    if (word.starts_with('@')) {
        word.remove_prefix(1);
    }
    constexpr size_t kLongestCall = 64;
    return !word.empty() && word.size() <= kLongestCall && std::all_of(word.begin(), word.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

} // namespace

void capability(Draft& draft, const Value& value) {
    const CapabilityMask mask = parse_capabilities(draft, value);
    draft.config.capability |= mask;
    draft.granted_by_file |= value.from_file() ? mask : 0;
}

void drop_capability(Draft& draft, const Value& value) {
    const CapabilityMask mask = parse_capabilities(draft, value);
    draft.config.drop_capability |= mask;
    draft.dropped_by_file |= value.from_file() ? mask : 0;
}

void ambient_capability(Draft& draft, const Value& value) {
    const CapabilityMask mask = parse_capabilities(draft, value);
    if (mask == ~CapabilityMask{0}) {
        throw Error("\"all\" is not possible for ambient capabilities: name them");
    }
    draft.config.ambient_capability |= mask;
}

void system_call_filter(Draft& draft, const Value& value) {
    std::string_view text = trim(value.text);
    const bool deny = text.starts_with('~');
    if (deny) {
        text.remove_prefix(1);
    }
    SystemCallFilter& filter = draft.config.system_call_filter;
    std::vector<std::string>& list = deny ? filter.deny : filter.allow;
    for (const std::string_view word : split_any(text, " \t\n\r")) {
        if (!is_system_call_or_group(word)) {
            reject_word(
                draft, value,
                fmt::format("\"{}\" is not the name of a system call or a group", printable(word.substr(0, 80))));
            continue;
        }
        list.emplace_back(word);
    }
}

} // namespace nspawn::apply
