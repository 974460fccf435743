// kernel_file.hpp — reading the small files that the kernel makes up, in three system calls.
//
// For /proc, /sys and control groups of the host only: their type is not checked and a short read is taken for the
// end, which holds for files that the kernel writes out in one go (seq_file's single_show). A file of a tree goes
// through base/file.hpp.
#pragma once

#include "base/result.hpp"

#include <string>

namespace nspawn {

// EFBIG when it is longer than `limit`.
Result<std::string> read_kernel_file(int directory, const char* path, size_t limit);

} // namespace nspawn
