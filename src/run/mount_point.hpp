// mount_point.hpp — the place in the container's tree that a custom mount goes onto.
//
// Looked up inside the tree, every link on the way as the container will see it, and made where it is missing. The
// result is a descriptor: what a process exchanges under the name afterwards does not matter any more. Never follows a
// link out of `root` and never a magic link. Source: openat2(2), systemd-nspawn(1) --bind=.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>

namespace nspawn {

enum class MountPointKind { directory, file };

// An O_PATH descriptor. Missing directories are made with mode 0755, a missing file is empty with mode 0644. ENOTDIR,
// EISDIR: what is there is of the other kind. `path` is absolute; errors otherwise as openat2(2) and mkdirat(2).
Result<UniqueFd> open_mount_point(int root, const std::string& path, MountPointKind kind);

} // namespace nspawn
