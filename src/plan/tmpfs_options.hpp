// tmpfs_options.hpp — the text that --tmpfs= takes, taken apart into options of the file system and of its mount.
//
// Pure. A word that is neither is passed on: the kernel knows which options its tmpfs has. Sources: tmpfs(5),
// mount(8) "FILESYSTEM-INDEPENDENT MOUNT OPTIONS", systemd-nspawn(1) --tmpfs=.
#pragma once

#include "linux/mount_fd.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace nspawn {

struct TmpfsOptions {
    std::vector<MountOption> options;
    uint64_t attributes = 0; // MOUNT_ATTR_*; unless the text says otherwise no devices, and strict access times
};

TmpfsOptions split_tmpfs_options(std::string_view text);

} // namespace nspawn
