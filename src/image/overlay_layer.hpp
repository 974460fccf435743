// overlay_layer.hpp — a throw-away layer of changes over a directory tree that itself stays untouched.
//
// Owns the directories that take the changes: in a ScratchDirectory, or on a private tmpfs that no path leads to and
// that vanishes with the last descriptor. Mounts them over the tree as a detached overlay. The tree is the directory
// as its file system has it: mounts on or below it are not part of it. Changes made to the tree by others meanwhile
// may show through. Never copies file contents. Source: kernel documentation filesystems/overlayfs.
#pragma once

#include "base/result.hpp"
#include "image/scratch_directory.hpp"
#include "linux/mount_fd.hpp"

#include <string>
#include <string_view>

namespace nspawn {

class OverlayLayer {
public:
    // Changes go to a scratch directory below `parent`. It may lie within the tree itself, and is invisible there; an
    // empty `tree_path` says that it does not.
    static Result<OverlayLayer> create_in(UniqueFd parent, const std::string& parent_path, int tree,
                                          const std::string& tree_path, std::string_view label);
    // Changes stay in memory, in a tmpfs of `size` (as tmpfs(5) takes it). Kernels before 6.15 refuse a layer that no
    // path leads to; there it is a scratch directory on one of the host's tmpfs.
    static Result<OverlayLayer> create_in_memory(int tree, const char* size = "25%");

    // The mount, until it was attached somewhere.
    [[nodiscard]] const MountFd& mount() const { return mount_; }
    // A mount can be attached once; this makes another of the same tree with the same changes.
    Result<void> renew(int tree);

private:
    OverlayLayer(ScratchDirectory scratch, MountFd memory);
    static Result<OverlayLayer> create_in_private_memory(int tree, const char* size);
    Result<void> prepare(int tree);
    using MountOverlay = Result<MountFd> (*)(int lower, int upper, int work);
    Result<MountFd> mount_with(int tree, MountOverlay create);
    // Where "upper" and the "work" directories lie.
    [[nodiscard]] int base() const { return memory_.valid() ? memory_.get() : scratch_.fd(); }

    ScratchDirectory scratch_;
    MountFd memory_;
    UniqueFd upper_;
    unsigned generation_ = 0;
    MountFd mount_; // last, so that it goes first
};

} // namespace nspawn
