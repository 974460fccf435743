// disk_image.hpp — a disk image as a tree of mounts that no path leads to yet.
//
// Owns the loop devices and the mounts; dropping it lets go of both, and so does the kernel when the process dies.
// Decides nothing about which partition is what (select_partitions.hpp) and reads no partition table
// (dissect_worker.hpp). Nothing in the image is followed out of it: mount points are looked up inside the tree that is
// there by then. Sources: systemd-nspawn(1) --image=, Discoverable Partitions Specification, fsopen(2), move_mount(2).
#pragma once

#include "base/unique_fd.hpp"
#include "config/environment_switches.hpp"
#include "config/image_policy.hpp"
#include "image/select_partitions.hpp"
#include "image/verity_wish.hpp"
#include "linux/loop_device.hpp"
#include "linux/mount_fd.hpp"

#include <string>
#include <utility>
#include <vector>

namespace nspawn {

struct DiskImageRequest {
    int file = -1;    // open for reading: a regular file or a block device
    std::string path; // for messages
    bool read_only = false;
    const ImagePolicy& policy;
    const ImageSwitches& switches;
    const VerityAttachments& verity;
};

class DiskImage {
public:
    // Looks into the image and decides what of it is used; nothing is attached yet. Throws Error.
    static DiskImage open(const DiskImageRequest& request);

    // Nothing of it can be written, by the wish of the caller or of the image.
    [[nodiscard]] bool is_read_only() const;
    [[nodiscard]] bool is_read_only(PartitionRole role) const;
    // "/" is an empty file system in memory, since the image has no root partition.
    [[nodiscard]] bool has_usr_only() const { return parts_.front().choice.role == PartitionRole::usr; }

    // Makes the devices, and the mounts of the root and of /usr in it.
    void attach();
    // The same mounts once more: each tree can be attached to a container once.
    void renew();
    [[nodiscard]] const MountFd& root() const { return root_; }

    // A partition's file system, to be put into a root that is not root(), or that is complete by then.
    struct Further {
        PartitionRole role;
        MountFd mount;
    };
    // All but the root, a parent before what is in it; without /usr where root() is what becomes "/".
    [[nodiscard]] std::vector<Further> mount_others(bool with_usr);
    // Puts one where it belongs in the tree below `root`, a detached mount, which may become another one by that;
    // nowhere when there is no place for it.
    void place(MountFd& root, const Further& further) const;

    // Partitions that were left out and why, one line each.
    [[nodiscard]] std::vector<std::string> take_notices() { return std::exchange(notices_, {}); }

private:
    struct Part {
        ChosenPartition choice;
        bool need_signature = false;
        LoopDevice loop;
        LoopDevice hash_loop; // of the hash tree
        UniqueFd unlocked;    // the mapped device, where it is encrypted or protected
        std::string device;   // path of the block device that is mounted
    };
    DiskImage() = default;

    [[nodiscard]] Error about(Error error) const;
    [[nodiscard]] LoopDevice open_loop(int file, const DiskPartition& place, bool read_only) const;
    void open_device(Part& part);
    static DiskPartition look_into_unlocked(const Part& part);
    void unlock(Part& part, const std::string& locked);
    void check(const Part& part) const;
    // Invalid: left out with a notice.
    MountFd mount_part(const Part& part);
    [[nodiscard]] Result<void> attach_to(int root, const Further& further) const;

    UniqueFd file_;
    UniqueFd hash_file_; // with the hash tree of an image without partitions
    std::string path_;
    std::vector<std::string> allowed_; // types of file systems
    bool read_only_ = false;
    bool direct_io_ = true;
    bool userspace_verity_ = true;
    unsigned verity_patience_ = 0; // seconds
    bool is_device_ = false;
    std::vector<Part> parts_;
    MountFd root_;
    std::vector<std::string> notices_;
};

} // namespace nspawn
