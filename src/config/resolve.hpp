// resolve.hpp — from everything that was said to the one Config that holds.
//
// Owns precedence (command line, settings files, environment, defaults), the trust of settings files, what options
// imply, and the checks across options; each decided here and nowhere else. A settings file that came with the image
// can narrow what the command line grants, never widen it. The only I/O is the reading of credentials.
// Source: systemd-nspawn(1) --settings=, systemd.nspawn(5); where it differs from the original: docs/settings.md.
#pragma once

#include "config/argv.hpp"
#include "config/caller.hpp"
#include "config/config.hpp"
#include "config/environment_switches.hpp"
#include "config/oci_bundle.hpp"

#include <span>
#include <string>
#include <vector>

namespace nspawn {

// The final value of one option, and who said so.
struct Provenance {
    const Option* option = nullptr;
    std::vector<std::string> values; // as text; several for a list, none when nothing is set
    std::vector<Origin> origins;     // at least one
};

struct Resolved {
    Config config;
    std::vector<Provenance> provenance; // in the order of the option table
    std::vector<std::string> warnings;  // one line each, about settings that do not hold
};

// What the command line alone says: enough to find the tree and its settings files. Every value on it is checked;
// credentials are not loaded and nothing is derived.
Config read_command_line(const CommandLine& line, const Caller& caller);

// `settings`: as read from the files, what comes later wins. Throws Error with one line that names the sources.
Resolved resolve(const CommandLine& line, std::span<const Assignment> settings, const Caller& caller,
                 const EnvironmentSwitches& switches);
// The same for a container from a bundle, which takes the place of settings files.
Resolved resolve(const CommandLine& line, OciBundle&& bundle, const Caller& caller,
                 const EnvironmentSwitches& switches);

} // namespace nspawn
