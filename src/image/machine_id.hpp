// machine_id.hpp — the machine id that a tree brings along (spec C.10).
//
// Reads, never writes. Source: machine-id(5).
#pragma once

#include "base/id128.hpp"

#include <optional>

namespace nspawn {

// The id in the tree's /etc/machine-id; empty when the file is missing, empty or says "uninitialized". Any other
// content is an error: an init would overwrite or reject it.
std::optional<Id128> read_machine_id(int tree);

} // namespace nspawn
