// empty_directory.hpp — removes all that is in a directory, whatever a hostile payload left there.
//
// Walks by descriptors only: never follows a symbolic link, never crosses into a mount, never opens anything but
// directories. Uses a bounded number of descriptors and no recursion, so depth does not matter: what lies deeper than
// it wants to go is first moved up. Takes immutable and append-only flags off where they are in the way.
// Source: unlinkat(2), openat2(2), ioctl_iflags(2).
#pragma once

#include "base/result.hpp"

#include <string_view>

namespace nspawn {

// What is moved up is called so until it is removed too; an interrupted run may leave some.
constexpr std::string_view kMovedUpPrefix = ".#moved.";

// `directory` is open for reading (no O_PATH) and stays, empty. On failure everything that can be removed was, and the
// first error is told.
Result<void> empty_directory(int directory);

} // namespace nspawn
