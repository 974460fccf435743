#include "image/image_file_system.hpp"

#include "base/directory.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"

#include <array>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>

namespace nspawn {

namespace {

// Without these, a read-only mount of what was not unmounted cleanly wants to write its log back first.
const char* no_recovery_option(std::string_view type) {
    if (type == "ext3" || type == "ext4") {
        return "noload";
    }
    if (type == "xfs") {
        return "norecovery";
    }
    return nullptr;
}

std::vector<MountOption> options_for(const FileSystemRequest& request) {
    std::vector<MountOption> options = {{"source", request.device}};
    if (request.read_only) {
        options.push_back({"ro", ""});
    }
    if (request.type == "xfs") {
        options.push_back({"nouuid", ""}); // a copy of an image may run beside it
    }
    if (request.type == "vfat") {
        options.push_back({"umask", "0077"});
    }
    return options;
}

// <linux/ext4.h> of older kernels' headers does not have it, and XFS's is not in the kernel's headers at all.
constexpr unsigned long kExt4Resize = _IOW('f', 16, uint64_t); // EXT4_IOC_RESIZE_FS
struct XfsGrowData {
    uint64_t new_blocks;
    uint32_t maximum_percent;
};
constexpr unsigned long kXfsGrow = _IOW('X', 110, XfsGrowData); // XFS_IOC_FSGROWFSDATA
constexpr uint32_t kXfsUsualMaximum = 25;                       // percent for inodes

Result<uint64_t> size_of_device(const std::string& path) {
    const Result<UniqueFd> device = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK);
    uint64_t size = 0;
    if (!device.ok()) {
        return device.system_error();
    }
    if (ioctl(device.value().get(), BLKGETSIZE64, &size) < 0) {
        return last_error("ioctl(BLKGETSIZE64)");
    }
    return size;
}

Result<void> grow(int directory, std::string_view type, uint64_t device_size) {
    struct statfs file_system {};
    if (fstatfs(directory, &file_system) < 0 || file_system.f_bsize <= 0) {
        return last_error("fstatfs");
    }
    uint64_t blocks = device_size / static_cast<uint64_t>(file_system.f_bsize);
    if (type == "ext4") {
        return check(ioctl(directory, kExt4Resize, &blocks), "ioctl(EXT4_IOC_RESIZE_FS)");
    }
    if (type == "xfs") {
        XfsGrowData request{blocks, kXfsUsualMaximum};
        const Result<void> grown = check(ioctl(directory, kXfsGrow, &request), "ioctl(XFS_IOC_FSGROWFSDATA)");
        return grown.error() == EINVAL ? Result<void>() : grown; // less than one allocation group's worth to gain
    }
    if (type == "btrfs") {
        btrfs_ioctl_vol_args request{};
        std::strcpy(static_cast<char*>(request.name), "1:max");
        return check(ioctl(directory, BTRFS_IOC_RESIZE, &request), "ioctl(BTRFS_IOC_RESIZE)");
    }
    return SystemError{ENOTSUP, "grow"};
}

} // namespace

Result<MountFd> mount_image_file_system(const FileSystemRequest& request) {
    uint64_t attributes = MOUNT_ATTR_NODEV;
    if (request.read_only) {
        attributes |= MOUNT_ATTR_RDONLY;
    }
    if (request.boot) {
        attributes |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;
    }
    std::vector<MountOption> options = options_for(request);
    Result<MountFd> mount = MountFd::create(request.type.c_str(), options, attributes);
    const char* const no_recovery = no_recovery_option(request.type);
    if (mount.ok() || mount.error() == ENODEV || !request.read_only || no_recovery == nullptr) {
        return mount;
    }
    options.push_back({no_recovery, ""});
    Result<MountFd> as_it_is = MountFd::create(request.type.c_str(), options, attributes);
    return as_it_is.ok() ? std::move(as_it_is) : std::move(mount);
}

bool is_read_only_file_system(std::string_view type) { return type == "squashfs" || type == "erofs"; }

void grow_file_system(const MountFd& mount, const std::string& type, const std::string& device) {
    const Result<UniqueFd> directory = open_at(mount.get(), ".", O_RDONLY | O_DIRECTORY);
    const Result<uint64_t> size = size_of_device(device);
    const Result<void> grown = !directory.ok() ? Result<void>(directory.system_error())
                               : !size.ok()    ? Result<void>(size.system_error())
                                               : grow(directory.value().get(), type, size.value());
    if (!grown.ok()) {
        log::warning("the {} file system on {} stays as large as it is: {}: {}", type, device,
                     grown.system_error().call, error_text(grown.error()));
    }
}

bool is_empty_directory(int root, const char* path) {
    const Result<UniqueFd> directory = open_in_root(root, path, O_RDONLY | O_DIRECTORY);
    bool empty = directory.ok();
    if (empty) {
        const Result<void> listed =
            for_each_entry(directory.value().get(), [&](const dirent64&) { return empty = false; });
        empty = empty && listed.ok();
    }
    return empty;
}

bool is_missing(int root, const char* path) { return open_in_root(root, path, O_PATH | O_NOFOLLOW).error() == ENOENT; }

} // namespace nspawn
