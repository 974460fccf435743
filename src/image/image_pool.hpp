// image_pool.hpp — the directories in which machines' trees and disk images lie, looked up by name (--machine= without
// --directory= and --image=): NAME, NAME.raw, and directories of versions NAME.v and NAME.raw.v.
//
// Finds, never changes. Symbolic links in the pool are followed, since only the administrator can put them there.
// Source: machinectl(1), "Files and Directories"; search path of spec A.3.
#pragma once

#include "base/unique_fd.hpp"

#include <string>

namespace nspawn {

struct PoolImage {
    UniqueFd directory;     // open for reading; or
    UniqueFd image;         // a disk image, open for reading
    bool read_only = false; // marked so: a read-only subvolume, the immutable flag, a read-only file system, or an
                            // image that nobody may write
};

// Throws when there is none, or when it is of a kind that cannot be run.
PoolImage find_pool_image(const std::string& name);

} // namespace nspawn
