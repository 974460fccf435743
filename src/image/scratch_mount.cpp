#include "image/scratch_mount.hpp"

#include "base/file.hpp"
#include "linux/mount_fd.hpp"

#include <utility>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace nspawn {

namespace {

Result<UniqueFd> open_and_lock(int at, const char* path) {
    Result<UniqueFd> directory = open_at(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (directory.ok() && flock(directory.value().get(), LOCK_EX | LOCK_NB) < 0) {
        return SystemError{errno == EWOULDBLOCK ? EBUSY : errno, "flock"};
    }
    return directory;
}

// Whoever still has a file of it open keeps that one; the name is gone at once.
Result<void> unmount(const std::string& path) {
    return check(umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW), "umount2");
}

Result<void> remove_directory(const std::string& path) {
    return rmdir(path.c_str()) == 0 || errno == ENOENT ? Result<void>() : last_error("rmdir");
}

} // namespace

Result<ScratchMount> ScratchMount::create(const std::string& path, std::span<const MountOption> options,
                                          uint64_t attributes) {
    if (is_mount_point(AT_FDCWD, path.c_str())) {
        return SystemError{EEXIST, "move_mount"};
    }
    ScratchMount scratch(path);
    const Result<MountFd> mount = MountFd::create("tmpfs", options, attributes);
    if (!mount.ok()) {
        return mount.system_error();
    }
    Result<UniqueFd> lock = open_and_lock(mount.value().get(), ".");
    if (!lock.ok()) {
        return lock.system_error();
    }
    scratch.lock_ = std::move(lock).value();
    if (const Result<void> attached = mount.value().attach(AT_FDCWD, path.c_str()); !attached.ok()) {
        return attached.system_error();
    }
    scratch.mounted_ = true;
    return scratch;
}

ScratchMount::ScratchMount(ScratchMount&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)), mounted_(other.mounted_) {}

ScratchMount::~ScratchMount() {
    // Whoever wants to know calls remove() before.
    [[maybe_unused]] const Result<void> ignored = remove();
}

Result<void> ScratchMount::remove() {
    const std::string path = std::exchange(path_, {});
    if (path.empty()) {
        return {};
    }
    if (mounted_) {
        if (const Result<void> gone = unmount(path); !gone.ok()) {
            return gone;
        }
    }
    return remove_directory(path);
}

Result<void> remove_leftover_mount(const std::string& path) {
    if (is_mount_point(AT_FDCWD, path.c_str())) {
        const Result<UniqueFd> directory = open_and_lock(AT_FDCWD, path.c_str());
        if (!directory.ok()) {
            return directory.system_error();
        }
        struct statfs file_system {};
        if (fstatfs(directory.value().get(), &file_system) < 0 || file_system.f_type != TMPFS_MAGIC) {
            return SystemError{EINVAL, "fstatfs"};
        }
        if (const Result<void> gone = unmount(path); !gone.ok()) {
            return gone;
        }
    }
    return remove_directory(path);
}

} // namespace nspawn
