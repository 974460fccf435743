// select_partitions.hpp — which partitions of an image become which part of the tree, and how each has to be protected.
//
// Pure: decides from the layout and the policy alone, touches nothing. Every partition it names lies within the image
// and overlaps no other that it names. Sources: Discoverable Partitions Specification, systemd.image-policy(7),
// systemd-nspawn(1) --image=, --root-hash=.
#pragma once

#include "config/image_policy.hpp"
#include "image/disk_layout.hpp"

#include <optional>
#include <string>
#include <vector>

namespace nspawn {

// What is known of dm-verity before the image is looked at: from options, extended attributes and files beside it.
struct VerityWish {
    PartitionRole role = PartitionRole::root; // or usr
    std::string root_hash;                    // lower-case hex; empty: only what the image itself says
    std::string signature;                    // of the root hash: DER in base64; empty: none
    bool use_embedded = true;                 // what a signature partition says counts
    bool separate_data = false;               // the hash tree is in a file of its own
};

enum class Protection { none, encrypted, verity, signed_verity };

struct ChosenPartition {
    PartitionRole role = PartitionRole::root;
    DiskPartition part;
    Protection protection = Protection::none;
    bool read_only = false;
    bool grow = false;
    std::string root_hash;                  // hex, with Protection::verity and signed_verity
    std::string signature;                  // DER in base64, with signed_verity
    std::optional<DiskPartition> hash_tree; // empty with verity: in the separate file
};

// In the order in which they are mounted: root first, /usr, then the rest, a parent before what is in it. Without a
// root partition the first is usr, and "/" is empty. Throws Error with one sentence that does not name the image.
std::vector<ChosenPartition> select_partitions(const DiskLayout& layout, const ImagePolicy& policy,
                                               const VerityWish& wish);

// "/", "/usr", "/var/tmp", …; nothing for one that is not mounted at a fixed place (esp, xbootldr) or not at all.
const char* mount_point_of(PartitionRole role);

} // namespace nspawn
