// make_entry.hpp — the plan's directories, files, links and nodes, each made below a directory.
//
// By the child from its root directory on, or by the supervisor in a mount that it has prepared. A path that exists
// already is an error (EEXIST): nothing that was there is ever taken for ours. Modes hold with a umask of 0 only.
// Sources: mkdirat(2), symlinkat(2), mknodat(2).
#pragma once

#include "base/result.hpp"
#include "plan/operation.hpp"

namespace nspawn {

// `path`: taken from the directory `at`, or absolute. The entry's own path is not looked at.
Result<void> make_entry(int at, const char* path, const MakeDirectory& what);
// The file stays open, for an exec to close.
Result<void> make_entry(int at, const char* path, const MakeFile& what);
Result<void> make_entry(int at, const char* path, const MakeSymlink& what);
Result<void> make_entry(int at, const char* path, const MakeNode& what);

} // namespace nspawn
