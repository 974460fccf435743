// precedence.hpp — which of the things that were said hold, when several sources speak about the same.
//
// Owns the settings mask and the trust of settings files. Looks at values only to tell whether they are well-formed,
// and never derives one option from another. Source: systemd-nspawn(1) --settings=, systemd.nspawn(5).
#pragma once

#include "config/argv.hpp"
#include "config/draft.hpp"
#include "config/oci_bundle.hpp"

#include <span>
#include <string>
#include <vector>

namespace nspawn {

struct Held {
    std::vector<const Assignment*> assignments; // in the order in which they are to be applied
    bool words_from_command_line = true;        // false: the files' Parameters= are the payload's words
    std::vector<std::string> warnings;
};

// Parses and stores one value; an Error says whose value it was.
void apply_assignment(Draft& draft, const Assignment& assignment);

// The bundle's assignments, but for those that the command line speaks about; they never come with warnings.
Held hold_bundle(const CommandLine& line, const OciBundle& bundle);
// The rest of the bundle, by the same rule.
void apply_bundle(Draft& draft, const CommandLine& line, OciBundle&& bundle);

Held hold(const CommandLine& line, std::span<const Assignment> settings, SettingsMode mode, const Caller& caller);

} // namespace nspawn
