// prepare_root.hpp — the detached mounts a start needs, made while the host's tree is still at hand.
//
// Owns them until the child has attached its copies; dropping them unmounts. Nothing here can be seen from the host.
#pragma once

#include "image/overlay_layer.hpp"
#include "image/root_tree.hpp"
#include "linux/mount_fd.hpp"
#include "plan/plan.hpp"
#include "run/child.hpp"
#include "run/custom_mounts.hpp"

#include <optional>
#include <vector>

namespace nspawn {

struct PreparedMounts {
    MountFd root;                        // becomes "/"
    MountFd mapped_tree;                 // below `overlay`, where it is not the tree itself
    std::optional<OverlayLayer> overlay; // behind `root` for --volatile=overlay
    MountFd old_root;                    // the tree's own root for --pivot-root= with a place for it
    MountFd volatile_usr;                // for --volatile=yes
    MountFd devpts;
    std::vector<PreparedHostFile> host_files;
    std::vector<HostMount> host; // one for each BindFromHost of the plan without receive_mounts
    std::vector<CustomMountFd> custom;
};

PreparedMounts prepare_mounts(const Plan& plan, const RootTree& tree, CustomMounts& custom);
// Invalid when the source is not there, which the operation permits.
MountFd open_host_mount(const BindFromHost& operation);

} // namespace nspawn
