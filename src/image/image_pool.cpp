#include "image/image_pool.hpp"

#include "base/file.hpp"
#include "base/path.hpp"
#include "image/btrfs_subvolume.hpp"
#include "image/version_pick.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr std::string_view kSearchPath[] = {
    "/etc/machines",      "/run/machines",           "/var/lib/machines",
    "/var/lib/container", "/usr/local/lib/machines", "/usr/lib/machines",
};

bool is_read_only_subvolume(int directory) {
    uint64_t flags = 0;
    return is_subvolume(directory) && ioctl(directory, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) == 0 &&
           (flags & BTRFS_SUBVOL_RDONLY) != 0;
}

// Nobody may write a file without a single permission to, even though root could.
bool is_read_only_image(int image) {
    struct stat status {};
    int flag = 0;
    if (fstat(image, &status) == 0 && S_ISBLK(status.st_mode)) {
        return ioctl(image, BLKROGET, &flag) == 0 && flag != 0;
    }
    return (status.st_mode & 0222) == 0;
}

bool is_marked_read_only(int tree) {
    int flags = 0;
    struct statvfs file_system {};
    return (ioctl(tree, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_IMMUTABLE_FL) != 0) ||
           (fstatvfs(tree, &file_system) == 0 && (file_system.f_flag & ST_RDONLY) != 0);
}

PoolImage open_tree(UniqueFd found, const std::string& doing) {
    UniqueFd directory = reopen(found.get(), O_RDONLY | O_DIRECTORY).or_throw(doing);
    const bool read_only = is_marked_read_only(directory.get()) || is_read_only_subvolume(directory.get());
    return {std::move(directory), {}, read_only};
}

PoolImage open_image(UniqueFd found, const std::string& doing) {
    UniqueFd image = reopen(found.get(), O_RDONLY | O_NONBLOCK | O_NOCTTY).or_throw(doing);
    const bool read_only = is_marked_read_only(image.get()) || is_read_only_image(image.get());
    return {{}, std::move(image), read_only};
}

// What lies at `path`, with versions looked into. Nothing: nothing is there.
std::optional<PoolImage> find_at(const std::string& path, const std::string& name) {
    const std::string doing = fmt::format("machine {}: {}", name, path);
    Result<UniqueFd> found = open_at(AT_FDCWD, path.c_str(), O_PATH);
    if (found.error() == ENOENT) {
        return std::nullopt;
    }
    UniqueFd fd = std::move(found).or_throw(doing);
    const VersionedKind kind = path.ends_with(".raw.v") ? VersionedKind::image : VersionedKind::directory;
    if (const auto pattern = version_pattern(path, kind)) {
        fd = open_version(*pattern, kind);
    }
    struct stat status {};
    check(fstat(fd.get(), &status), "fstat").or_throw(doing);
    if (S_ISDIR(status.st_mode)) {
        return open_tree(std::move(fd), doing);
    }
    if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) {
        return open_image(std::move(fd), doing);
    }
    throw Error(fmt::format("{} is neither a directory tree nor a disk image", doing));
}

} // namespace

PoolImage find_pool_image(const std::string& name) {
    for (const std::string_view place : kSearchPath) {
        for (const std::string_view suffix : {"", ".raw", ".v", ".raw.v"}) {
            if (auto found = find_at(join(place, name).append(suffix), name)) {
                return std::move(*found);
            }
        }
    }
    throw Error(fmt::format("no image for machine '{}' in {}", name, fmt::join(kSearchPath, ", ")),
                "Name a directory with --directory=, or a disk image with --image=.")
        .with_code(ENOENT);
}

} // namespace nspawn
