// operation.hpp — one thing the container's child does to its file system tree, as data.
//
// Pure values: made by the plan, printed by --dry-run, walked by the child. Paths are absolute inside the container,
// where the container's root already is the process's root. Flags are MOUNT_ATTR_* of mount_setattr(2).
#pragma once

#include "config/custom_mount.hpp"
#include "linux/mount_fd.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <sys/types.h>

namespace nspawn {

// What a failure of the operation means.
enum class Importance {
    required,   // the start fails
    if_present, // a missing source or target is no failure; anything else is
    optional,   // any failure is one warning
};

// A new file system instance on `target`.
struct MountFileSystem {
    std::string type;
    std::string target;
    std::vector<MountOption> options;
    uint64_t attributes = 0;
    Importance importance = Importance::required;
    bool keep_existing_mount = false; // a target that is a mount point already is left alone
};

// A tmpfs on `target` with some directories of a file system in it, and nothing else of that one.
struct MountParts {
    std::string type; // of the file system
    std::string target;
    std::vector<MountOption> options; // of the tmpfs
    uint64_t attributes = 0;          // of the tmpfs and of every part
    std::vector<std::string> parts;
    std::vector<std::string> directories; // empty ones, parents first
};

// `source` inside the container shown once more at `target`.
struct BindInside {
    std::string source;
    std::string target;
    uint64_t attributes = 0;
    uint64_t cleared = 0; // attributes of the source's mount that the copy does not take over
    Importance importance = Importance::required;
    bool mask = false; // the source is the empty node with mode 000 that hides the target
};

// A file or directory of the host at `target`; the supervisor opens it: before the child exists or, with
// receive_mounts, while the child is at work on the rest.
struct BindFromHost {
    std::string source;
    std::string target;
    uint64_t attributes = 0;
    uint64_t cleared = 0; // attributes of the source's mount that the copy does not take over
    Importance importance = Importance::required;
    bool recursive = false;
    bool create_target_file = false;
    bool receive_mounts = false; // later mounts below the source show up here too: a slave
};

struct MakeDirectory {
    std::string path;
    mode_t mode = 0755;
};

struct MakeFile {
    std::string path;
    mode_t mode = 0444;
    std::string content;
};

struct MakeSymlink {
    std::string path;
    std::string target;
};

// A device node, or with type S_IFREG, S_IFIFO, S_IFSOCK an empty node of that type.
struct MakeNode {
    std::string path;
    mode_t mode = 0; // type and permissions
    unsigned major = 0;
    unsigned minor = 0;
    Importance importance = Importance::required;
    uid_t uid = 0;
    gid_t gid = 0;
};

// What --bind= and its like ask for. The target is looked up in the tree as the container will see it, links included,
// and made where it is missing. Binds and overlays are opened by the supervisor, the rest is made by the child.
struct MountCustom {
    CustomMount what;
    std::vector<MountOption> options; // of a tmpfs
    uint64_t attributes = 0;
    uint64_t cleared = 0; // attributes of a bind's source that the copy does not take over
};

using Operation = std::variant<MountFileSystem, MountParts, BindInside, BindFromHost, MakeDirectory, MakeFile,
                               MakeSymlink, MakeNode, MountCustom>;

} // namespace nspawn
