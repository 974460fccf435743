#include "image/image_pool.hpp"

#include "base/file.hpp"
#include "base/path.hpp"
#include "image/btrfs_subvolume.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr std::string_view kSearchPath[] = {
    "/etc/machines",      "/run/machines",           "/var/lib/machines",
    "/var/lib/container", "/usr/local/lib/machines", "/usr/lib/machines",
};

bool is_marked_read_only(int directory) {
    int flags = 0;
    if (ioctl(directory, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_IMMUTABLE_FL) != 0) {
        return true;
    }
    uint64_t subvolume_flags = 0;
    if (is_subvolume(directory) && ioctl(directory, BTRFS_IOC_SUBVOL_GETFLAGS, &subvolume_flags) == 0 &&
        (subvolume_flags & BTRFS_SUBVOL_RDONLY) != 0) {
        return true;
    }
    struct statvfs file_system {};
    return fstatvfs(directory, &file_system) == 0 && (file_system.f_flag & ST_RDONLY) != 0;
}

PoolImage open_image(const std::string& path, const std::string& name) {
    UniqueFd directory =
        open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY).or_throw(fmt::format("machine {}: {}", name, path));
    const bool read_only = is_marked_read_only(directory.get());
    return {std::move(directory), read_only};
}

} // namespace

PoolImage find_pool_image(const std::string& name) {
    for (const std::string_view place : kSearchPath) {
        const std::string path = join(place, name);
        if (access(path.c_str(), F_OK) == 0) {
            return open_image(path, name);
        }
        for (const std::string_view suffix : {".raw", ".v"}) {
            const std::string other = path + std::string(suffix);
            if (access(other.c_str(), F_OK) == 0) {
                throw Error(fmt::format("machine {}: {}: {} are not supported by this version", name, other,
                                        suffix == ".raw" ? "disk images" : "directories of versions"),
                            "Name a directory tree with --directory=.");
            }
        }
    }
    throw Error(fmt::format("no image for machine '{}' in {}", name, fmt::join(kSearchPath, ", ")),
                "Name a directory with --directory=.")
        .with_code(ENOENT);
}

} // namespace nspawn
