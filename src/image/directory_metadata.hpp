// directory_metadata.hpp — makes one directory look like another: owner, mode, times, extended attributes.
//
// For directories that stand in for those of a tree. Never touches entries. Attributes that the target's file system
// does not take are left out and told at debug level: nothing in a container depends on them.
#pragma once

namespace nspawn {

// Both are open for reading (no O_PATH).
void copy_directory_metadata(int from, int to);

} // namespace nspawn
