// show_config.hpp — what --show-config prints: every option's final value and where it came from.
//
// Only formats what resolve() found; secrets are not in it. Printed as an aligned table, or as JSON for programs.
#pragma once

#include "base/json.hpp"
#include "config/resolve.hpp"

#include <string>

namespace nspawn {

// Fills in what was not said but follows from the tree that was found: its path, and the names made from it.
void name_tree(Resolved& resolved, const std::string& path, const std::string& machine);

std::string config_as_text(const Resolved& resolved);
// {"settings": [{"option", "setting", "values", "from"}…]}; null for an option or setting that does not exist.
Json config_as_json(const Resolved& resolved);

} // namespace nspawn
