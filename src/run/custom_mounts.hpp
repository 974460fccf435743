// custom_mounts.hpp — the host's side of --bind= and --overlay=: what the container's child cannot open by itself.
//
// Owns, for the whole run, the fresh directories that stand for empty sources and the work directories of overlays;
// makes, for each start, one detached mount of each bind and overlay. Opens every source once and goes on with the
// descriptor. Paths of the host are the user's own and followed like any; paths in the tree ("+") never lead out of it.
// Sources: systemd-nspawn(1) "Mount Options", kernel documentation filesystems/overlayfs.
#pragma once

#include "image/scratch_directory.hpp"
#include "linux/mount_fd.hpp"
#include "plan/bind_map.hpp"
#include "plan/plan.hpp"

#include <map>
#include <vector>

#include <sys/types.h>

namespace nspawn {

struct CustomMountFd {
    const MountCustom* operation = nullptr;
    MountFd mount;
    mode_t type = 0;  // S_IFMT bits of what it shows
    dev_t device = 0; // when that is a device node
};

class CustomMounts {
public:
    // Where "+" paths start.
    struct Tree {
        int root = -1;     // the container's "/" as far as it is there, or the tree that /usr of it comes from
        int attached = -1; // the same directory where the host has it, for kernels that copy nothing detached; or -1
        std::string path;  // for messages and records
        // The mount behind `root`, which another one of the same may take the place of; null: must not.
        MountFd* replaceable = nullptr;
    };

    explicit CustomMounts(const Plan& plan) : plan_(plan) {}
    // One for each bind and overlay of the plan, in its order.
    std::vector<CustomMountFd> open(Tree tree);
    // Removes the fresh directories, as the destructor does.
    void release() { scratch_.clear(); }

private:
    // A directory, seen through a mount of its own where its owners have to be mapped.
    struct Layer {
        MountFd mapped;
        UniqueFd directory;
        bool in_tree = false;
    };
    struct UpperPlace {
        UniqueFd directory;
        std::string upper; // names below it
        std::string work;
    };

    struct Layers {
        std::vector<Layer> lower; // the topmost first, as the kernel wants it; the user names the lowest first
        Layer place;              // of the next two
        std::string upper;
        std::string work;
    };

    CustomMountFd open_bind(const MountCustom& operation, Tree& tree);
    CustomMountFd open_overlay(const MountCustom& operation, Tree& tree);
    ScratchDirectory& scratch_for(const MountCustom& operation, UniqueFd parent, const std::string& parent_path);
    ScratchDirectory& scratch_in_var_tmp(const MountCustom& operation);
    Layer open_layer(const MountSource& layer, const MountCustom& operation, Tree& tree);
    Layer map_layer(UniqueFd directory, bool in_tree, const CustomMount& mount);
    static Result<MountFd> mount_layers(const Layers& layers, const MountCustom& operation, std::string* complaint);
    static Result<MountFd> mount_where_attached(Layers& layers, const MountCustom& operation, Tree& tree);
    UpperPlace find_upper(const MountCustom& operation, const Tree& tree);
    void map_owners(CustomMountFd& mount, const Tree& tree, const Owner& source);
    // The tree will be id-mapped by itself, once the container's users exist; copies made of it before are to be, too.
    [[nodiscard]] bool tree_is_mapped_later() const {
        return plan_.map_tree && plan_.root != RootKind::volatile_overlay;
    }
    [[nodiscard]] Owner owner_of_destination(const CustomMount& mount, const Tree& tree) const;
    void set_id_map(const MountFd& mount, const IdMap& map, Recursive recursive, const std::string& doing);

    const Plan& plan_;
    std::vector<std::pair<IdMap, UniqueFd>> namespaces_;     // that hold the maps which were needed until now
    std::map<const MountCustom*, ScratchDirectory> scratch_; // kept over a restart
    unsigned generation_ = 0;
};

} // namespace nspawn
