#include "image/overlay_layer.hpp"

#include "base/file.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "image/directory_metadata.hpp"
#include "linux/overlay_mount.hpp"
#include "linux/private_namespace.hpp"

#include <fmt/format.h>

#include <vector>

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace nspawn {

namespace {

Result<UniqueFd> make_directory(int parent, const char* name) {
    if (mkdirat(parent, name, 0700) < 0) {
        return last_error("mkdirat");
    }
    return open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// A directory of the tree itself: no link, no mount on it.
Result<UniqueFd> open_in_tree(int directory, const std::string& name) {
    return open_in_root(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
                        RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

// A layer inside the tree that it covers would be seen from within, as a directory that answers ELOOP to everything.
// A whiteout in the layer hides it; the directories on the way get the looks of those that they cover.
Result<void> hide_in_layer(int tree, const std::string& tree_path, const std::string& hidden, int upper) {
    if (tree_path.empty() || !is_within(hidden, tree_path)) {
        return {};
    }
    std::vector<std::string_view> way = split_any(std::string_view(hidden).substr(tree_path.size()), "/");
    const std::string name(way.back());
    way.pop_back();
    UniqueFd below;
    UniqueFd above;
    for (const std::string_view component : way) {
        Result<UniqueFd> original = open_in_tree(below ? below.get() : tree, std::string(component));
        if (!original.ok()) {
            return {}; // behind a mount, so it is not part of the tree
        }
        Result<UniqueFd> copy = make_directory(above ? above.get() : upper, std::string(component).c_str());
        if (!copy.ok()) {
            return copy.system_error();
        }
        copy_directory_metadata(original.value().get(), copy.value().get());
        below = std::move(original).value();
        above = std::move(copy).value();
    }
    return check(mknodat(above ? above.get() : upper, name.c_str(), S_IFCHR, 0), "mknodat");
}

Result<MountFd> mount_throw_away(int lower, int upper, int work) {
    const MountOption options[] = {
        {"source", "nspawn"},
        // A directory of the tree can be renamed as anywhere else, instead of answering EXDEV.
        {"redirect_dir", "on"},
        // Nothing in a tree that came from elsewhere may point the kernel at other data of the layers.
        {"metacopy", "off"},
        {"index", "off"},
        // One device number for all files, as programs that stay on one file system expect.
        {"xino", "auto"},
        // Nobody will ever need the layer after a crash: no sync reaches the disk, and the unmount does not wait.
        {"volatile", ""},
    };
    return mount_overlay({.lower = std::span(&lower, 1), .upper = upper, .work = work}, options, 0);
}

// Where this directory is for a process with another copy of our mounts; empty: nowhere.
std::string path_of_directory(int fd) { return path_of_descriptor(fd).value_or(""); }

Result<UniqueFd> open_same_directory(const std::string& path, int known) {
    Result<UniqueFd> directory = open_at(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    struct stat wanted {};
    struct stat found {};
    if (directory.ok() && (fstat(known, &wanted) < 0 || fstat(directory.value().get(), &found) < 0 ||
                           wanted.st_dev != found.st_dev || wanted.st_ino != found.st_ino)) {
        return SystemError{ESTALE, "open"};
    }
    return directory;
}

// Linux before 6.15 takes no layer that no path leads to: `lower` becomes attached in another process, which needs the
// other two as it has them itself.
Result<MountFd> mount_in_other_process(int lower, int upper, int work) {
    const std::string upper_path = path_of_directory(upper);
    const std::string work_path = path_of_directory(work);
    if (const Result<UniqueFd> reachable = open_same_directory(upper_path, upper); !reachable.ok()) {
        return reachable.system_error(); // before `lower` is given away for nothing
    }
    MountFd below(UniqueFd{lower}); // only borrowed
    Result<MountFd> mount = make_where_attached(below, [&]() -> Result<MountFd> {
        const Result<UniqueFd> own_upper = open_same_directory(upper_path, upper);
        const Result<UniqueFd> own_work = open_same_directory(work_path, work);
        if (!own_upper.ok() || !own_work.ok()) {
            return own_upper.ok() ? own_work.system_error() : own_upper.system_error();
        }
        return mount_throw_away(lower, own_upper.value().get(), own_work.value().get());
    });
    below.leave_open();
    return mount;
}

} // namespace

OverlayLayer::OverlayLayer(ScratchDirectory scratch, MountFd memory)
    : scratch_(std::move(scratch)), memory_(std::move(memory)) {}

Result<void> OverlayLayer::prepare(int tree) {
    Result<UniqueFd> upper = make_directory(base(), "upper");
    if (!upper.ok()) {
        return upper.system_error();
    }
    upper_ = std::move(upper).value();
    copy_directory_metadata(tree, upper_.get()); // the top directory of the overlay is this one
    return {};
}

Result<MountFd> OverlayLayer::mount_with(int tree, MountOverlay create) {
    // A volatile overlay marks its work directory, so that it is not used twice; so does one that could not be mounted.
    const Result<UniqueFd> work = make_directory(base(), fmt::format("work{}", generation_++).c_str());
    return work.ok() ? create(tree, upper_.get(), work.value().get()) : work.system_error();
}

Result<void> OverlayLayer::renew(int tree) {
    mount_ = MountFd();
    Result<MountFd> mount = mount_with(tree, mount_throw_away);
    if (mount.error() == EINVAL) {
        Result<MountFd> elsewhere = mount_with(tree, mount_in_other_process);
        if (elsewhere.ok()) {
            mount = std::move(elsewhere);
        }
    }
    if (!mount.ok()) {
        return mount.system_error();
    }
    mount_ = std::move(mount).value();
    return {};
}

Result<OverlayLayer> OverlayLayer::create_in(UniqueFd parent, const std::string& parent_path, int tree,
                                             const std::string& tree_path, std::string_view label) {
    Result<ScratchDirectory> scratch = ScratchDirectory::create(std::move(parent), parent_path, label);
    if (!scratch.ok()) {
        return scratch.system_error();
    }
    OverlayLayer layer(std::move(scratch).value(), MountFd());
    Result<void> done = layer.prepare(tree);
    if (done.ok()) {
        done = hide_in_layer(tree, tree_path, layer.scratch_.path(), layer.upper_.get());
    }
    if (done.ok()) {
        done = layer.renew(tree);
    }
    return done.ok() ? Result<OverlayLayer>(std::move(layer)) : done.system_error();
}

Result<OverlayLayer> OverlayLayer::create_in_private_memory(int tree, const char* size) {
    const MountOption options[] = {{"mode", "0700"}, {"size", size}, {"nr_inodes", "1m"}};
    Result<MountFd> memory = MountFd::create("tmpfs", options, 0);
    if (!memory.ok()) {
        return memory.system_error();
    }
    OverlayLayer layer(ScratchDirectory(), std::move(memory).value());
    Result<void> done = layer.prepare(tree);
    if (done.ok()) {
        done = layer.renew(tree);
    }
    return done.ok() ? Result<OverlayLayer>(std::move(layer)) : done.system_error();
}

Result<OverlayLayer> OverlayLayer::create_in_memory(int tree, const char* size) {
    Result<OverlayLayer> layer = create_in_private_memory(tree, size);
    if (layer.ok()) {
        return layer;
    }
    for (const char* place : {"/dev/shm", "/run"}) {
        Result<UniqueFd> directory = open_at(AT_FDCWD, place, O_RDONLY | O_DIRECTORY);
        struct statfs file_system {};
        if (!directory.ok() || fstatfs(directory.value().get(), &file_system) < 0 ||
            file_system.f_type != TMPFS_MAGIC) {
            continue;
        }
        Result<OverlayLayer> other = create_in(std::move(directory).value(), place, tree, "", "memory");
        if (other.ok()) {
            return other;
        }
    }
    return layer;
}

} // namespace nspawn
