// file.hpp — opening, reading and writing files, with the defences that hostile trees call for.
//
// Every open is close-on-exec. Functions with `root` resolve inside that directory as if it were "/" and never
// follow magic links (openat2(2), RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS). Reads are bounded.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace nspawn {

// openat2(2) with RESOLVE_IN_ROOT: `path` is looked up as if `root` were "/". `resolve` is added to the flags.
Result<UniqueFd> open_in_root(int root, const char* path, int flags, mode_t mode = 0, uint64_t resolve = 0);
// openat(2), O_CLOEXEC added.
Result<UniqueFd> open_at(int directory, const char* path, int flags, mode_t mode = 0);
// Reopens what an O_PATH descriptor stands for.
Result<UniqueFd> reopen(int fd, int flags);

// Where the kernel thinks that an open file is: absolute with every link resolved, unless it was removed (" (deleted)"
// is appended) or cannot be reached from the root directory. ENAMETOOLONG: it does not fit into PATH_MAX.
Result<std::string> path_of_descriptor(int fd);
// Another descriptor of the same open file description.
Result<UniqueFd> duplicate(int fd);

// Whole content of an open file; EFBIG when it has more than `limit` bytes.
Result<std::string> read_all(int fd, size_t limit);
// A regular file only (ENOTSUP otherwise: a FIFO must not block us, a device must not be touched).
Result<std::string> read_file(int directory, const char* path, size_t limit);
Result<std::string> read_file_in_root(int root, const char* path, size_t limit);
// Everything or an error; EINTR and short writes are handled.
Result<void> write_all(int fd, std::string_view data);
// Opens an existing file (a kernel interface) and writes `data` in one write(2).
Result<void> write_existing(int directory, const char* path, std::string_view data);

} // namespace nspawn
