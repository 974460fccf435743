// btrfs_subvolume.hpp — snapshots of btrfs subvolumes with the subvolumes nested in them, and their deletion.
//
// Speaks to the kernel by ioctl alone; no btrfs library. Mounts below a subvolume are not part of a snapshot and are
// never crossed. Never touches quota groups. Source: btrfs-subvolume(8), ioctl numbers of <linux/btrfs.h>.
#pragma once

#include "base/result.hpp"

#include <string>
#include <vector>

namespace nspawn {

// True when the open directory is the top of a subvolume.
bool is_subvolume(int directory);

// Snapshots the subvolume `source` as `name` below `parent`, then each subvolume nested in it at its own place.
// Errors: EXDEV when `parent` lies on another file system. On failure nothing is left.
Result<void> snapshot_subvolume(int source, int parent, const char* name);

// Makes a snapshot made above, and all nested in it, read-only.
Result<void> make_subvolume_read_only(int directory);

// Deletes the subvolume `name` below `parent` with all nested in it. ENOTTY or EINVAL: it is none.
Result<void> delete_subvolume(int parent, const char* name);

} // namespace nspawn
