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
#include "linux/loop_device.hpp"
#include "linux/mount_fd.hpp"

#include <string>
#include <vector>

namespace nspawn {

struct DiskImageRequest {
    int file = -1;    // open for reading: a regular file or a block device
    std::string path; // for messages
    bool read_only = false;
    const ImagePolicy& policy;
    const ImageSwitches& switches;
    VerityWish verity;
};

class DiskImage {
public:
    // Looks into the image and decides what of it is used; nothing is attached yet. Throws Error.
    static DiskImage open(const DiskImageRequest& request);

    // Nothing of it can be written, by the wish of the caller or of the image.
    [[nodiscard]] bool read_only() const;
    // "/" is an empty file system in memory, since the image has no root partition.
    [[nodiscard]] bool has_usr_only() const { return parts_.front().choice.role == PartitionRole::usr; }

    // Makes the devices and the mounts.
    void attach();
    // The mounts once more: each tree can be attached to a container once.
    void renew();

    [[nodiscard]] const MountFd& root() const { return root_; }
    // Partitions that were left out and why, one line each.
    [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }

private:
    struct Part {
        ChosenPartition choice;
        LoopDevice loop;
        std::string device; // path of the block device that is mounted
    };
    DiskImage() = default;

    [[nodiscard]] Error about(Error error) const;
    void open_device(Part& part);
    Result<MountFd> mount_part(const Part& part) const;
    void mount_all();
    void place(const Part& part, const MountFd& mount);
    void place_boot_partition(const Part& part, const MountFd& mount);

    UniqueFd file_;
    std::string path_;
    bool read_only_ = false;
    bool direct_io_ = true;
    bool is_device_ = false;
    std::vector<Part> parts_;
    MountFd root_;
    std::vector<std::string> notices_;
};

} // namespace nspawn
