// probe.hpp — looking into a disk image: its partition table, and what is in the partitions that matter.
//
// Reads, never writes, and never opens anything but what it is given. What it reads is hostile: no more than
// kMostPartitions are looked at, and the process that calls this has no privileges (confine.hpp).
// Source: libblkid(3), Discoverable Partitions Specification.
#pragma once

#include "image/disk_layout.hpp"

namespace nspawn {

// `image`: an open regular file or block device. Throws Error with one sentence that does not name the image.
DiskLayout probe_image(int image);

} // namespace nspawn
