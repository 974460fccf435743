// file_system_check.hpp — fsck(8) for a file system that says it needs one, before it is mounted for writing.
//
// Runs the host's own fsck.TYPE, never one of the image, with an empty environment and no terminal. What it can repair
// by itself is repaired. Source: fsck(8), its exit status.
#pragma once

#include <string>

namespace nspawn {

// Throws Error when errors are left. A host without fsck for the type is a warning: the kernel has the last word.
void check_file_system(const std::string& type, const std::string& device);

} // namespace nspawn
