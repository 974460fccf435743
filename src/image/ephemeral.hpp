// ephemeral.hpp — a copy of a tree that is gone after the run (--ephemeral).
//
// Decides how the copy is made, never copying file contents:
//   1. a btrfs subvolume: a snapshot beside it (inside it where it is itself a mount), nested subvolumes included;
//   2. anything else: an overlay whose changes go to a hidden sibling of the tree on the same file system;
//   3. where there can be no such sibling ("/", a mount point, a parent that cannot be written): to /var/tmp;
//   4. where no disk will do: to memory.
// Of a disk image this is the copy of one of its file systems, where the image itself could not be copied by reference
// (image_file.hpp). Reflinks are not used for trees: cloning file by file takes time with the number of files, an
// overlay does not. As in the original, mounts below the tree are not part of the copy, and the source is not locked.
// Sources: systemd-nspawn(1) --ephemeral, kernel documentation filesystems/overlayfs.
#pragma once

#include "base/unique_fd.hpp"
#include "image/overlay_layer.hpp"
#include "image/private_users.hpp"
#include "image/scratch_directory.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nspawn {

class EphemeralCopy {
public:
    // `tree` is open for reading and has to stay open as long as the copy. `label` names the machine. Throws with
    // all that was tried.
    // With users whose ownership of the tree is `map`, an overlay shows its files as theirs; a snapshot does not. They
    // have to live as long, too.
    static EphemeralCopy create(int tree, const std::string& tree_path, std::string_view label,
                                const PrivateUsers& users);

    // The same for a file system of a disk image, mounted read-only: changes go beside the image, to /var/tmp or to
    // memory.
    static EphemeralCopy create_over_image(int file_system, const std::string& image_path, std::string_view label,
                                           const PrivateUsers& users);

    // The top directory of the copy.
    [[nodiscard]] int fd() const { return overlay_ ? overlay_->mount().get() : snapshot_.get(); }
    // True: fd() is a detached mount to be attached once. False: a directory of an attached mount, to be cloned.
    [[nodiscard]] bool is_detached_mount() const { return overlay_.has_value(); }
    // "btrfs snapshot", "overlay, changes in /var/lib/machines", …
    [[nodiscard]] const std::string& description() const { return description_; }

    void make_read_only() const;
    // Before the copy is started once more, as it was left: a mount can be attached only once. `tree` as for create().
    void renew(int tree);

private:
    EphemeralCopy() = default;
    bool try_snapshot(UniqueFd parent, const std::string& parent_path, std::string_view label);
    bool try_overlay(UniqueFd parent, const std::string& parent_path, std::string_view label);
    bool try_memory();
    // What an overlay lies on.
    int lower();
    bool try_everything(std::string_view label);
    bool try_places(UniqueFd beside, const std::string& beside_path, std::string_view label);
    [[noreturn]] void throw_refused(const std::string& path) const;
    void set_attributes(uint64_t attributes) const;
    bool refused(std::string_view where, SystemError error);

    int tree_ = -1;
    const PrivateUsers* users_ = nullptr;
    MountFd mapped_; // of the tree, for an overlay; invalid: the tree itself will do
    UniqueFd mapped_directory_;
    std::string tree_path_;
    std::string description_;
    uint64_t attributes_ = 0;                 // MOUNT_ATTR_* of the overlay
    std::string refusals_;                    // why each earlier choice was not taken
    std::optional<ScratchDirectory> scratch_; // holds the snapshot
    UniqueFd snapshot_;
    std::optional<OverlayLayer> overlay_;
};

} // namespace nspawn
