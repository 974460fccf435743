// image_file.hpp — a disk image as it is named: opening it, and what lies beside it.
//
// Opens nothing that is not a regular file or a block device: a FIFO would wait, and a character device might do
// something. Never looks into the image. Source: systemd-nspawn(1) --image=, --root-hash=, --verity-data=.
#pragma once

#include "base/unique_fd.hpp"

#include <string>

namespace nspawn {

// Open for reading. Throws Error, with what to use instead for what is no image.
UniqueFd open_image_file(const std::string& path);

} // namespace nspawn
