// custom_mount.hpp — what --bind=, --tmpfs=, --overlay= and --inaccessible= ask for, and the grammar they are asked in.
//
// Pure: paths are text here, nothing is looked up. What is wrong is thrown as an Error with the reason alone; the
// caller knows whose value it was. Source of the grammar: systemd-nspawn(1) "Mount Options", systemd.nspawn(5)
// "[Files]".
#pragma once

#include "linux/id_map.hpp"
#include "linux/mount_fd.hpp"
#include "linux/mount_words.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

// In the order in which mounts for the same destination are made.
enum class CustomMountKind { bind, tmpfs, overlay, inaccessible };

// Which owner the files of a bind have in a container with private users.
enum class BindMapping {
    none,   // that of the host: as an unknown one
    same,   // "idmap": the same number in the container as on disk
    root,   // "rootidmap": the owner of the source is the container's root
    owner,  // "owneridmap": the owner of the source is the owner of the destination
    user,   // "owner=": the owner of the source is this user of the container
    ranges, // "map=": these
    exact,  // from the disk straight to the host's ids, as bundles say it
};

struct MountSource {
    std::string path;     // absolute; empty: a fresh directory in /var/tmp, removed at the end
    bool in_tree = false; // "+": below the tree's root instead of the host's
};

struct CustomMount {
    CustomMountKind kind = CustomMountKind::bind;
    std::string destination; // absolute and simplified, in the container; only of a bind it may be "/": the whole tree
    // bind: one. overlay: the layers, lowest first; the last one takes the changes unless read_only.
    std::vector<MountSource> sources;
    bool read_only = false;
    bool recursive = true; // bind: with the mounts below the source
    BindMapping mapping = BindMapping::none;
    uint32_t user = 0; // BindMapping::user: ids in the container
    uint32_t group = 0;
    IdRanges ranges; // BindMapping::ranges: `inside` the container, `outside` on disk
    IdMap exact_map; // BindMapping::exact: `inside` is on disk, `outside` the host's
    bool maps_submounts = true;
    std::string options; // tmpfs: comma-separated mount options
    MountChange change;  // bind: what is different from the source's mount, beside read_only
    Propagation propagation = Propagation::unchanged; // bind: unchanged stands for our default, see bind_attributes()
};

// SRC[:DST[:OPTION,…]]; `directory` is what a relative SRC starts from.
CustomMount parse_bind(std::string_view text, bool read_only, const std::string& directory);
// PATH[:OPTION,…]
CustomMount parse_tmpfs(std::string_view text);
// LOWER…:UPPER:DST, or LOWER:PATH for an upper layer and a destination of the same path.
CustomMount parse_overlay(std::string_view text, bool read_only);
// PATH
CustomMount parse_inaccessible(std::string_view text);

// The value that is parsed into the same again.
std::string format_custom_mount(const CustomMount& mount);

// Parents before what lies below them, then by kind; otherwise as given.
void sort_custom_mounts(std::vector<CustomMount>& mounts);

} // namespace nspawn
