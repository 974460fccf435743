// unlock_partition.hpp — from an encrypted or verity-protected partition to a device that can be mounted.
//
// Decides where the passphrase comes from and how often it is tried. The device goes with the descriptor that is
// answered and with the mounts of it.
#pragma once

#include "base/unique_fd.hpp"
#include "image/select_partitions.hpp"

#include <string>

namespace nspawn {

struct LockedPartition {
    const ChosenPartition& choice;
    std::string device;      // path of the block device
    std::string hash_device; // of the hash tree, with verity
    std::string name;        // for the user: "partition 2 of IMAGE"
    bool need_signature = false;
    bool userspace_keys = true;   // certificates of this machine count beside the kernel's keys
    unsigned verity_patience = 0; // seconds until the device has to be set up
};

// Throws Error that does not name the partition.
UniqueFd unlock_partition(const LockedPartition& partition);

} // namespace nspawn
