// signature_partition.hpp — the signed root hash that an image carries in a partition of its own.
//
// Reads one bounded JSON object with "rootHash" and "signature"; never checks the signature, which is the kernel's
// task. Source: Discoverable Partitions Specification, "Verity signature".
#pragma once

#include "image/disk_layout.hpp"

namespace nspawn {

// Fills `root_hash` and `signature`; leaves both empty when what is there is not of that form.
void read_signature_partition(int image, DiskPartition& part);

} // namespace nspawn
