// dissect_worker.hpp — starting the program that looks into disk images (nspawn-dissect), and hearing its answer.
//
// nspawn is static and parses no image itself. The program is looked for where it was installed relative to the running
// nspawn, and beside it in a build tree; never in $PATH or the working directory. It gets an empty environment, the
// descriptors it needs and no others, and a time limit.
#pragma once

#include "image/disk_layout.hpp"

#include <string>

namespace nspawn {

// `image`: open for reading. Throws Error with one sentence; what is wrong with the image does not name it.
DiskLayout look_into_image(int image);

} // namespace nspawn
