#include "image/ephemeral.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/path.hpp"
#include "image/btrfs_subvolume.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

struct Place {
    UniqueFd directory; // invalid: it cannot be used
    std::string path;
};

Place open_place(const std::string& path) {
    Result<UniqueFd> directory = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
    if (!directory.ok()) {
        return {UniqueFd(), path};
    }
    sweep_leftover_scratch(directory.value().get());
    return {std::move(directory).value(), path};
}

// Beside the tree, by descriptor: the path may have been swapped meanwhile.
Place open_sibling_place(int tree, const std::string& tree_path) {
    Result<UniqueFd> directory = open_at(tree, "..", O_RDONLY | O_DIRECTORY);
    if (!directory.ok() || tree_path == "/") {
        return {UniqueFd(), parent_of(tree_path)};
    }
    sweep_leftover_scratch(directory.value().get());
    return {std::move(directory).value(), parent_of(tree_path)};
}

bool on_same_file_system(int a, int b) {
    struct stat first {};
    struct stat second {};
    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev;
}

} // namespace

bool EphemeralCopy::refused(std::string_view where, SystemError error) {
    refusals_ += fmt::format("{}{}: {}: {}", refusals_.empty() ? "" : "; ", where, error.call, error_text(error.code));
    log::debug("ephemeral copy: {}: {}: {}", where, error.call, error_text(error.code));
    return false;
}

bool EphemeralCopy::try_snapshot(UniqueFd parent, const std::string& parent_path, std::string_view label) {
    const std::string where = "snapshot in " + parent_path;
    Result<ScratchDirectory> scratch = ScratchDirectory::create(std::move(parent), parent_path, label);
    if (!scratch.ok()) {
        return refused(where, scratch.system_error());
    }
    const int directory = scratch.value().fd();
    if (const Result<void> made = snapshot_subvolume(tree_, directory, "tree"); !made.ok()) {
        return refused(where, made.system_error());
    }
    Result<UniqueFd> snapshot = open_at(directory, "tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!snapshot.ok()) {
        return refused(where, snapshot.system_error());
    }
    snapshot_ = std::move(snapshot).value();
    if (parent_path == tree_path_) {
        unlinkat(snapshot_.get(), scratch.value().name().c_str(), AT_REMOVEDIR); // the copy of its own empty holder
    }
    scratch_.emplace(std::move(scratch).value());
    description_ = "btrfs snapshot";
    return true;
}

int EphemeralCopy::lower() {
    if (users_->ownership() != TreeOwnership::map) {
        return tree_;
    }
    if (!mapped_.valid()) {
        mapped_ = users_->mapped_mount(tree_);
        mapped_directory_ = open_at(mapped_.get(), ".", O_RDONLY | O_DIRECTORY).or_throw(tree_path_);
    }
    return mapped_directory_.get();
}

bool EphemeralCopy::try_overlay(UniqueFd parent, const std::string& parent_path, std::string_view label) {
    Result<OverlayLayer> layer = OverlayLayer::create_in(std::move(parent), parent_path, lower(), tree_path_, label);
    if (!layer.ok()) {
        return refused("overlay in " + parent_path, layer.system_error());
    }
    overlay_.emplace(std::move(layer).value());
    description_ = "overlay, changes in " + parent_path;
    return true;
}

bool EphemeralCopy::try_memory() {
    Result<OverlayLayer> layer = OverlayLayer::create_in_memory(lower(), "50%");
    if (!layer.ok()) {
        return refused("overlay in memory", layer.system_error());
    }
    overlay_.emplace(std::move(layer).value());
    description_ = "overlay, changes in memory";
    return true;
}

bool EphemeralCopy::try_everything(std::string_view label) {
    Place sibling = open_sibling_place(tree_, tree_path_);
    if (is_subvolume(tree_)) {
        if (Place beside = {UniqueFd(fcntl(sibling.directory.get(), F_DUPFD_CLOEXEC, 3)), sibling.path};
            beside.directory && try_snapshot(std::move(beside.directory), beside.path, label)) {
            return true;
        }
        if (Place inside = open_place(tree_path_);
            inside.directory && try_snapshot(std::move(inside.directory), inside.path, label)) {
            return true;
        }
    }
    // Behind a mount, the sibling would be a place that nobody expects to grow.
    if (sibling.directory && !on_same_file_system(tree_, sibling.directory.get())) {
        sibling.directory.reset();
    }
    return try_places(std::move(sibling.directory), sibling.path, label);
}

bool EphemeralCopy::try_places(UniqueFd beside, const std::string& beside_path, std::string_view label) {
    if (beside && try_overlay(std::move(beside), beside_path, label)) {
        return true;
    }
    if (Place disk = open_place("/var/tmp");
        disk.directory && try_overlay(std::move(disk.directory), disk.path, label)) {
        return true;
    }
    return try_memory();
}

void EphemeralCopy::throw_refused(const std::string& path) const {
    throw Error(fmt::format("cannot make an ephemeral copy of {}: {}", path, refusals_),
                "A file system that overlayfs can write to is needed beside it, in /var/tmp or in memory.");
}

EphemeralCopy EphemeralCopy::create(int tree, const std::string& tree_path, std::string_view label,
                                    const PrivateUsers& users) {
    EphemeralCopy copy;
    copy.users_ = &users;
    copy.tree_ = tree;
    copy.tree_path_ = tree_path;
    if (!copy.try_everything(label)) {
        copy.throw_refused(tree_path);
    }
    copy.refusals_.clear();
    return copy;
}

EphemeralCopy EphemeralCopy::create_over_image(int file_system, const std::string& image_path, std::string_view label,
                                               const PrivateUsers& users) {
    EphemeralCopy copy;
    copy.users_ = &users;
    copy.tree_ = file_system;
    Place beside = open_place(parent_of(image_path));
    if (!copy.try_places(std::move(beside.directory), beside.path, label)) {
        copy.throw_refused(image_path);
    }
    copy.attributes_ = MOUNT_ATTR_NODEV;
    copy.set_attributes(copy.attributes_);
    return copy;
}

void EphemeralCopy::set_attributes(uint64_t attributes) const {
    if (attributes != 0) {
        overlay_->mount()
            .set_attributes(attributes, 0, Propagation::unchanged, Recursive::no)
            .or_throw("setting the attributes of the ephemeral copy");
    }
}

void EphemeralCopy::make_read_only() const {
    if (overlay_) {
        set_attributes(MOUNT_ATTR_RDONLY);
    } else {
        make_subvolume_read_only(snapshot_.get()).or_throw("making the ephemeral copy read-only");
    }
}

void EphemeralCopy::renew(int tree) {
    if (tree != tree_) {
        mapped_ = MountFd();
        mapped_directory_.reset();
    }
    tree_ = tree;
    if (overlay_) {
        overlay_->renew(lower()).or_throw("mounting the ephemeral copy once more");
        set_attributes(attributes_);
    }
}

} // namespace nspawn
