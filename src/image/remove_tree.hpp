// remove_tree.hpp — takes a directory tree away, whatever a hostile payload left in it.
//
// Walks by descriptors only: never follows a symbolic link, never crosses into a mount, never opens anything but
// directories. Uses a bounded number of descriptors and no recursion, so depth does not matter: what lies deeper than
// it wants to go is first moved up. Takes immutable and append-only flags off where they are in the way.
// Source: unlinkat(2), openat2(2), ioctl_iflags(2).
#pragma once

#include "base/result.hpp"

namespace nspawn {

// Removes `name`, a single component below `parent`, and all below it. What is already gone is a success. On failure
// everything that can be removed was, and the first error is told.
Result<void> remove_tree(int parent, const char* name);

} // namespace nspawn
