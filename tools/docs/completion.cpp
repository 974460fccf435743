#include "docs/completion.hpp"

#include "config/settings_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace nspawn::docs {

namespace {

// Text as a dictionary holds it: printable ASCII, quotes and backslashes escaped.
std::string dictionary_entry(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += {'\\', c};
        } else if (byte < 0x20 || byte >= 0x7f) {
            out += fmt::format("\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    return out + "\"\n";
}

std::string dictionary(const std::set<std::string>& words) {
    std::string out = "# Generated from the option table; do not edit.\n";
    for (const std::string& word : words) {
        out += dictionary_entry(word);
    }
    return out;
}

} // namespace

std::vector<std::string> value_words(const Option& option) {
    std::vector<std::string> words(option.words.begin(), option.words.end());
    if (words.empty()) {
        words = values_of(option);
    }
    if (option.completion == Completion::boolean) {
        words.insert(words.end(), {"yes", "no"});
    }
    if (option.lists_values) {
        words.emplace_back("help");
    }
    std::vector<std::string> unique;
    for (std::string& word : words) {
        const bool is_number = word.find_first_not_of("0123456789") == std::string::npos; // a signal without a name
        if (!is_number && std::find(unique.begin(), unique.end(), word) == unique.end()) {
            unique.push_back(std::move(word));
        }
    }
    return unique;
}

std::vector<std::string> spellings(const Option& option) {
    std::vector<std::string> all;
    for (const std::string_view name : {option.name, option.alias}) {
        if (!name.empty()) {
            all.push_back(fmt::format("--{}", name));
        }
    }
    if (option.letter != '\0') {
        all.push_back(fmt::format("-{}", option.letter));
    }
    return all;
}

bool takes_comma_list(const Option& option) { return option.completion == Completion::capability; }

std::string settings_dictionary() {
    std::set<std::string> words = {"=", "\\\n", "\n", "#", ";", "%i", "%%", "%m", "\xef\xbb\xbf", "X-", "[X-"};
    for (const std::string_view setting : documented_settings()) {
        words.insert(fmt::format("\n[{}]\n", setting.substr(0, setting.find('.'))));
        words.insert(fmt::format("\n{}=", setting.substr(setting.find('.') + 1)));
    }
    for (const Option& option : option_table()) {
        if (!option.setting.empty()) {
            for (const std::string& word : value_words(option)) {
                words.insert(word);
            }
        }
    }
    return dictionary(words);
}

std::string command_line_dictionary() {
    std::set<std::string> words = {"--", "-", "=", "infinity", ":", ",", "~", "@", std::string(1, '\0')};
    for (const Option& option : option_table()) {
        for (const std::string& spelling : spellings(option)) {
            words.insert(spelling);
            if (option.argument != Argument::none && spelling.starts_with("--")) {
                words.insert(spelling + "=");
            }
        }
        for (const std::string& word : value_words(option)) {
            words.insert(word);
        }
    }
    return dictionary(words);
}

} // namespace nspawn::docs
