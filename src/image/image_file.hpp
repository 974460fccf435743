// image_file.hpp — a disk image as it is named: opening it, and what lies beside it.
//
// Opens nothing that is not a regular file or a block device: a FIFO would wait, and a character device might do
// something. Never looks into the image. Source: systemd-nspawn(1) --image=, --root-hash=, --verity-data=.
#pragma once

#include "base/unique_fd.hpp"

#include <string>

namespace nspawn {

// Open for reading; of a directory of versions (version_pick.hpp) the best one. Throws Error, with what to use instead
// for what is no image.
UniqueFd open_image_file(const std::string& path);

// A copy that shares the image's blocks and has no name: it is gone with its last descriptor. Open for writing; invalid
// where the file system has no such copies, or for a device.
UniqueFd reflink_image_file(int image, const std::string& path);

} // namespace nspawn
