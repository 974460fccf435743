// settings_file.hpp — which settings files hold for a machine, and what they say.
//
// Owns discovery (NAME.nspawn and NAME.nspawn.d/*.conf), the trust of each file, the expansion of specifiers, and the
// turning of lines into assignments. Never decides whether an assignment holds: resolve() does, by the origin's trust.
// A file has no say in its own trust; that comes from its place alone.
// Source: systemd.nspawn(5), ".nspawn File Discovery"; drop-ins and specifiers: docs/settings.md.
#pragma once

#include "config/assignment.hpp"
#include "config/specifier.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

// Where to look. An empty path is not searched.
struct SettingsPlaces {
    std::string administrator; // trusted, beats the others
    std::string runtime;       // trusted
    std::string beside;        // the directory that holds the tree or the image
    bool trust_beside = false; // --settings=trusted
};

// The places of this host; the first two only for a privileged caller.
SettingsPlaces host_settings_places(bool privileged, std::string beside, bool trust_beside);

struct Settings {
    std::vector<std::string> files;      // those that were read, in the order in which they hold
    std::vector<Assignment> assignments; // in that order; what comes later wins
    std::vector<std::string> warnings;   // one line each, "file:line: …", for the person at the terminal
};

// Throws Error when a file is there but cannot be used at all; a start without it could be a start without its limits.
Settings read_settings(const SettingsPlaces& places, const std::string& machine, const SpecifierFacts& facts);

// One file's text, as read_settings() does it. `origin` names the file and its trust.
void interpret_settings(std::string_view text, const Origin& origin, const SpecifierFacts& facts, Settings& settings);

} // namespace nspawn
