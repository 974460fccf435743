// settings_syntax.hpp — the syntax of settings files: text in, sections and key/value lines out.
//
// Owns sections, comments, continuation lines and the bounds on what a file may hold. Pure: opens nothing, knows no
// option, and never quotes the file in a problem, because the text may come from a file that is not ours to show.
// A line that is broken is left out and reported; the rest of the file is used. Source: systemd.syntax(7).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

constexpr size_t kSettingsSizeLimit = size_t{1} << 20;  // bytes of one file
constexpr size_t kSettingsLineLimit = size_t{64} << 10; // bytes of one line, continuations included
constexpr unsigned kSettingsLineCountLimit = 20'000;    // lines of one file

struct SettingsSection {
    std::string name;
    unsigned line = 0; // 1-based
};

struct SettingsEntry {
    std::string section;
    std::string key;
    std::string value; // without surrounding blanks; quotes and escapes are left to the option
    unsigned line = 0; // where the key stands
};

struct SettingsProblem {
    unsigned line = 0;
    const char* text = ""; // "is neither a section nor …"
};

struct SettingsText {
    std::vector<SettingsSection> sections; // each header, in file order
    std::vector<SettingsEntry> entries;
    std::vector<SettingsProblem> problems;
};

// Throws Error (without the file's name) only when the text breaks a bound and so cannot be a settings file.
SettingsText parse_settings(std::string_view text);

} // namespace nspawn
