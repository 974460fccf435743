// overlay_mount.hpp — an overlay of directories that are held open, as a detached mount.
//
// In a user namespace of a container its notes go into user.* attributes, not into trusted.* ones. Names no path: the
// layers are the open directories, whatever lies under their names meanwhile. Never makes or removes a directory.
// Source: kernel documentation filesystems/overlayfs.
#pragma once

#include "linux/mount_fd.hpp"

#include <span>
#include <string>

namespace nspawn {

struct OverlayLayers {
    std::span<const int> lower; // the topmost first; open directories
    int upper = -1;             // takes the changes; -1: none, read-only
    int work = -1;              // an empty directory on the file system of `upper`
};

// `options` beside the layers. `complaint`: as MountFd::create().
Result<MountFd> mount_overlay(const OverlayLayers& layers, std::span<const MountOption> options, uint64_t attributes,
                              std::string* complaint = nullptr);

} // namespace nspawn
