#include "image/disk_image.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "image/dissect_worker.hpp"
#include "image/file_system_check.hpp"
#include "image/image_file_system.hpp"
#include "image/unlock_partition.hpp"
#include "linux/private_namespace.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

// "partition 2 of IMAGE", or the image itself.
std::string name_of(const ChosenPartition& choice, const std::string& path) {
    return choice.part.number == 0
               ? path
               : fmt::format("{}: partition {} ({})", path, choice.part.number, partition_role_name(choice.role));
}

void require_allowed(const ChosenPartition& choice, const std::vector<std::string>& allowed, const std::string& path) {
    if (std::find(allowed.begin(), allowed.end(), choice.part.content) == allowed.end()) {
        throw Error(
            fmt::format("{} is {}, which is not mounted for a container", name_of(choice, path),
                        choice.part.content == "crypto_LUKS" ? "encrypted" : "of type " + choice.part.content),
            fmt::format("Allowed: {}. More can be named with $SYSTEMD_DISSECT_FILE_SYSTEMS.", fmt::join(allowed, " ")))
            .with_code(EIDRM);
    }
}

[[noreturn]] void throw_unmountable(const ChosenPartition& choice, const std::string& path, SystemError error) {
    const std::string name = name_of(choice, path);
    const std::string& type = choice.part.content;
    switch (error.code) {
    case ENODEV:
        throw Error(fmt::format("{}: this kernel has no {}", name, type)).with_code(error.code);
    case EINVAL:
    case EUCLEAN:
    case EIO:
    case EBADMSG:
        throw Error(fmt::format("{}: the {} file system cannot be mounted: {}", name, type, error_text(error.code)),
                    "It is damaged or cut off, or needs a newer kernel; the kernel's log (dmesg) says more.")
            .with_code(error.code);
    default:
        throw Error(fmt::format("{}: mounting {}: {}: {}", name, type, error.call, error_text(error.code)))
            .with_code(error.code);
    }
}

// The directory to mount on, made where it is missing and may be; ENOENT otherwise.
Result<UniqueFd> mount_point(int root, const std::string& path) {
    Result<UniqueFd> directory = open_in_root(root, path.c_str(), O_PATH | O_DIRECTORY);
    if (directory.error() != ENOENT) {
        return directory;
    }
    const Result<UniqueFd> parent = open_in_root(root, parent_of(path).c_str(), O_RDONLY | O_DIRECTORY);
    if (!parent.ok()) {
        return parent.system_error();
    }
    if (mkdirat(parent.value().get(), std::string(base_name(path)).c_str(), 0755) < 0) {
        return last_error("mkdirat");
    }
    return open_in_root(root, path.c_str(), O_PATH | O_DIRECTORY);
}

} // namespace

Error DiskImage::about(Error error) const { return std::move(error.with_context(path_)); }

DiskImage DiskImage::open(const DiskImageRequest& request) {
    DiskImage image;
    image.path_ = request.path;
    image.direct_io_ = request.switches.direct_io;
    image.allowed_ = request.switches.file_systems;
    image.userspace_verity_ = request.switches.userspace_verity;
    image.verity_patience_ = request.switches.verity_patience;
    if (request.verity.data) {
        image.hash_file_ = duplicate(request.verity.data.get()).or_throw(request.path);
    }
    image.file_ = duplicate(request.file).or_throw(request.path);
    struct stat status {};
    nspawn::check(fstat(request.file, &status), "fstat").or_throw(request.path);
    image.is_device_ = S_ISBLK(status.st_mode);
    image.read_only_ = request.read_only;
    if (S_ISREG(status.st_mode) && status.st_size == 0) {
        throw Error(fmt::format("{}: the image is empty", request.path)).with_code(ENOPKG);
    }
    try {
        const DiskLayout layout = look_into_image(request.file);
        for (ChosenPartition& choice : select_partitions(layout, request.policy, request.verity.wish)) {
            choice.read_only |= request.read_only || is_read_only_file_system(choice.part.content);
            if (choice.protection == Protection::none) {
                require_allowed(choice, image.allowed_, request.path);
            }
            Part part;
            part.need_signature = (request.policy.of(choice.role) & policy::kVerity) == 0;
            part.choice = std::move(choice);
            image.parts_.push_back(std::move(part));
        }
    } catch (Error& error) {
        throw error.message().starts_with(request.path) ? error : image.about(error);
    }
    return image;
}

bool DiskImage::is_read_only(PartitionRole role) const {
    return std::any_of(parts_.begin(), parts_.end(),
                       [&](const Part& part) { return part.choice.role == role && part.choice.read_only; });
}

bool DiskImage::is_read_only() const {
    return std::all_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.choice.read_only; });
}

LoopDevice DiskImage::open_loop(int file, const DiskPartition& place, bool read_only) const {
    const UniqueFd backing = reopen(file, read_only ? O_RDONLY : O_RDWR).or_throw(path_);
    Result<LoopDevice> loop = LoopDevice::attach({.backing = backing.get(),
                                                  .offset = place.offset,
                                                  .size = place.number == 0 ? 0 : place.size,
                                                  .read_only = read_only,
                                                  .direct_io = direct_io_});
    if (loop.error() == ENOENT || loop.error() == EPERM || loop.error() == EACCES) {
        throw Error(
            fmt::format("{}: no loop device can be had: {}", path_, error_text(loop.error())),
            "The kernel needs the loop driver (modprobe loop), and a container /dev/loop-control and loop nodes.")
            .with_code(loop.error());
    }
    return std::move(loop).or_throw(fmt::format("attaching {}", path_));
}

void DiskImage::open_device(Part& part) {
    const DiskPartition& place = part.choice.part;
    const bool locked = part.choice.protection != Protection::none;
    if (is_device_ && place.number == 0 && !locked) {
        part.device = fmt::format("/proc/self/fd/{}", file_.get());
        return;
    }
    // Of a locked block device too: the worker that opens it does not have our descriptors.
    part.loop = open_loop(file_.get(), place, part.choice.read_only);
    part.device = part.loop.path();
    if (locked) {
        unlock(part, part.loop.path());
    }
}

DiskPartition DiskImage::look_into_unlocked(const Part& part) {
    DiskPartition inside;
    try {
        inside = look_into_image(part.unlocked.get()).whole;
    } catch (const Error&) {
        if (part.choice.protection == Protection::encrypted) {
            throw;
        }
    }
    if (inside.ambiguous || inside.content.empty()) {
        // Of what verity finds damaged nothing can be read.
        throw Error(part.choice.protection == Protection::encrypted ? "it holds no file system that is known"
                                                                    : "its data does not belong to the root hash");
    }
    return inside;
}

// What is behind the lock is looked into anew, and has to be something that may be mounted.
void DiskImage::unlock(Part& part, const std::string& locked) {
    ChosenPartition& choice = part.choice;
    const std::string name = name_of(choice, path_);
    if (choice.hash_tree) {
        part.hash_loop = open_loop(file_.get(), *choice.hash_tree, true);
    } else if (choice.protection != Protection::encrypted) {
        part.hash_loop = open_loop(hash_file_.get(), DiskPartition(), true);
    }
    try {
        part.unlocked = unlock_partition({.choice = choice,
                                          .device = locked,
                                          .hash_device = part.hash_loop.path(),
                                          .name = name,
                                          .need_signature = part.need_signature,
                                          .userspace_keys = userspace_verity_,
                                          .verity_patience = verity_patience_});
        const DiskPartition inside = look_into_unlocked(part);
        choice.part.content = inside.content;
        choice.part.dirty = inside.dirty;
    } catch (Error& error) {
        throw Error(error.with_context(name));
    }
    choice.read_only |= is_read_only_file_system(choice.part.content);
    require_allowed(choice, allowed_, path_);
    part.device = fmt::format("/proc/self/fd/{}", part.unlocked.get());
}

void DiskImage::check(const Part& part) const {
    if (!part.choice.part.dirty || part.choice.read_only) {
        return;
    }
    // By a path that is the same for a process without our descriptors.
    const int fd = part.unlocked ? part.unlocked.get() : part.loop.valid() ? part.loop.fd() : file_.get();
    try {
        check_file_system(part.choice.part.content, fmt::format("/proc/{}/fd/{}", getpid(), fd));
    } catch (Error& error) {
        throw Error(error.with_context(name_of(part.choice, path_)));
    }
}

MountFd DiskImage::mount_part(const Part& part) {
    const ChosenPartition& choice = part.choice;
    const bool boot = mount_point_of(choice.role) == nullptr;
    Result<MountFd> mount = mount_image_file_system(
        {.type = choice.part.content, .device = part.device, .read_only = choice.read_only, .boot = boot});
    if (boot && mount.error() == ENODEV) {
        notices_.push_back(
            fmt::format("{} left out: this kernel has no {}", name_of(choice, path_), choice.part.content));
        return {};
    }
    if (!mount.ok()) {
        throw_unmountable(choice, path_, mount.system_error());
    }
    if (choice.grow && !choice.read_only) {
        grow_file_system(mount.value(), choice.part.content, part.device);
    }
    return std::move(mount).value();
}

void DiskImage::attach() {
    if (!is_device_ && !is_read_only()) {
        if (const auto other = find_writable_loop_of(file_.get())) {
            throw Error(fmt::format("{} is currently busy: it is attached to {} already", path_, *other),
                        "Detach it there (umount, losetup -d), or start from a throw-away copy with --ephemeral.")
                .with_code(EBUSY);
        }
    }
    for (Part& part : parts_) {
        open_device(part);
        check(part);
    }
    renew();
}

void DiskImage::renew() {
    if (has_usr_only()) {
        const MountOption options[] = {{"mode", "0755"}, {"size", "25%"}, {"nr_inodes", "1m"}};
        root_ = MountFd::create("tmpfs", options, MOUNT_ATTR_STRICTATIME | MOUNT_ATTR_NODEV)
                    .or_throw("empty root of the image");
        for (const Part& part : parts_) { // before it may become read-only
            if (const char* const path = mount_point_of(part.choice.role)) {
                mount_point(root_.get(), path).or_throw(path);
            }
        }
    }
    for (const Part& part : parts_) {
        if (part.choice.role == PartitionRole::root) {
            root_ = mount_part(part);
        } else if (part.choice.role == PartitionRole::usr) {
            place(root_, {PartitionRole::usr, mount_part(part)});
        }
    }
}

std::vector<DiskImage::Further> DiskImage::mount_others(bool with_usr) {
    std::vector<Further> others;
    for (const Part& part : parts_) {
        const PartitionRole role = part.choice.role;
        if (role == PartitionRole::root || (role == PartitionRole::usr && !with_usr)) {
            continue;
        }
        if (MountFd mount = mount_part(part); mount.valid()) {
            others.push_back({role, std::move(mount)});
        }
    }
    return others;
}

namespace {

// The boot loader's partition has /boot; the firmware's has it where it is there and still free, and else /efi. Null:
// none of them is free.
const char* boot_place(int root, bool esp) {
    if (is_empty_directory(root, "boot") || (!esp && is_missing(root, "boot"))) {
        return "/boot";
    }
    return esp && (is_empty_directory(root, "efi") || is_missing(root, "efi")) ? "/efi" : nullptr;
}

} // namespace

Result<void> DiskImage::attach_to(int root, const Further& further) const {
    const char* const fixed = mount_point_of(further.role);
    const char* const path = fixed != nullptr ? fixed : boot_place(root, further.role == PartitionRole::esp);
    if (path == nullptr) {
        return {};
    }
    const Result<UniqueFd> directory = mount_point(root, path);
    if (fixed == nullptr && !directory.ok()) {
        return {}; // a read-only root without it has none
    }
    return directory.ok() ? further.mount.attach_onto(directory.value().get()) : directory.system_error();
}

void DiskImage::place(MountFd& root, const Further& further) const {
    Result<void> placed = attach_to(root.get(), further);
    if (placed.error() == EINVAL) { // a kernel that attaches nothing to what is not attached itself
        Result<MountFd> whole = make_where_attached(root, [&] {
            const Result<void> attached = attach_to(root.get(), further);
            return attached.ok() ? MountFd::clone_of(root.get(), "", Recursive::yes)
                                 : Result<MountFd>(attached.system_error());
        });
        placed = whole.ok() ? Result<void>() : Result<void>(whole.system_error());
        if (whole.ok()) {
            root = std::move(whole).value();
        }
    }
    if (!placed.ok()) {
        const char* const path = mount_point_of(further.role);
        throw Error(fmt::format("{}: the {} partition cannot be mounted on {} of the root file system: {}", path_,
                                partition_role_name(further.role), path == nullptr ? "/boot or /efi" : path,
                                error_text(placed.error())))
            .with_code(placed.error());
    }
}

} // namespace nspawn
