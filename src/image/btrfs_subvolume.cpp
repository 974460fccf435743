#include "image/btrfs_subvolume.hpp"

#include "base/file.hpp"
#include "base/path.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace nspawn {

namespace {

// A payload may nest as many subvolumes as it likes; nobody does that by accident.
constexpr size_t kMaxNested = 65536;

Result<UniqueFd> open_subvolume(int directory, const char* path) {
    return open_beneath(directory, path, O_RDONLY | O_DIRECTORY);
}

// Where the entry of subvolume `id` is, relative to the top of the subvolume that holds it.
Result<std::string> path_of_nested(int directory, const btrfs_ioctl_get_subvol_rootref_args& references, size_t index) {
    auto lookup = std::make_unique<btrfs_ioctl_ino_lookup_user_args>();
    lookup->dirid = references.rootref[index].dirid;
    lookup->treeid = references.rootref[index].treeid;
    if (ioctl(directory, BTRFS_IOC_INO_LOOKUP_USER, lookup.get()) < 0) {
        return last_error("BTRFS_IOC_INO_LOOKUP_USER");
    }
    const std::string_view path(lookup->path, strnlen(lookup->path, sizeof lookup->path));
    const std::string_view name(lookup->name, strnlen(lookup->name, sizeof lookup->name));
    return path.empty() ? std::string(name) : join(path, name);
}

// The subvolumes directly nested in the one that is open.
Result<std::vector<std::string>> nested_in(int directory) {
    std::vector<std::string> result;
    auto references = std::make_unique<btrfs_ioctl_get_subvol_rootref_args>();
    for (;;) {
        const bool more = ioctl(directory, BTRFS_IOC_GET_SUBVOL_ROOTREF, references.get()) < 0;
        if (more && errno != EOVERFLOW) {
            return last_error("BTRFS_IOC_GET_SUBVOL_ROOTREF");
        }
        for (size_t index = 0; index < references->num_items; ++index) {
            Result<std::string> path = path_of_nested(directory, *references, index);
            if (!path.ok()) {
                return path.system_error();
            }
            result.push_back(std::move(path).value());
        }
        if (!more || references->num_items == 0) {
            return result;
        }
        references->min_treeid = references->rootref[references->num_items - 1].treeid + 1;
    }
}

// All nested ones at any depth, parents before children, relative to `top`. Those covered by a mount are left out.
Result<std::vector<std::string>> all_nested_in(int top) {
    std::vector<std::string> result{""};
    for (size_t next = 0; next < result.size(); ++next) {
        const std::string base = result[next];
        const Result<UniqueFd> directory = open_subvolume(top, base.empty() ? "." : base.c_str());
        if (!directory.ok() || !is_subvolume(directory.value().get())) {
            if (base.empty()) {
                return directory.ok() ? SystemError{ENOTTY, "fstatfs"} : directory.system_error();
            }
            result[next].clear(); // covered, or gone meanwhile
            continue;
        }
        Result<std::vector<std::string>> nested = nested_in(directory.value().get());
        if (!nested.ok()) {
            return nested.system_error();
        }
        for (const std::string& path : nested.value()) {
            result.push_back(base.empty() ? path : join(base, path));
        }
        if (result.size() > kMaxNested) {
            return SystemError{E2BIG, "btrfs"};
        }
    }
    std::erase(result, "");
    return result;
}

Result<void> snapshot_one(int source, int parent, const char* name) {
    auto arguments = std::make_unique<btrfs_ioctl_vol_args_v2>();
    if (std::strlen(name) >= sizeof arguments->name) {
        return SystemError{ENAMETOOLONG, "BTRFS_IOC_SNAP_CREATE_V2"};
    }
    arguments->fd = source;
    std::strcpy(arguments->name, name); // NOLINT(clang-analyzer-security.insecureAPI.strcpy): length checked above
    return check(ioctl(parent, BTRFS_IOC_SNAP_CREATE_V2, arguments.get()), "BTRFS_IOC_SNAP_CREATE_V2");
}

// In a snapshot a nested subvolume is an empty directory that cannot be written; the snapshot of it takes its place.
Result<void> snapshot_nested(int source, int copy, const std::string& path) {
    const Result<UniqueFd> nested = open_subvolume(source, path.c_str());
    const Result<UniqueFd> parent = open_subvolume(copy, parent_of(path).c_str());
    for (const Result<UniqueFd>* opened : {&nested, &parent}) {
        if (!opened->ok()) {
            return opened->system_error();
        }
    }
    const std::string name(base_name(path));
    if (unlinkat(parent.value().get(), name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT) {
        return last_error("unlinkat");
    }
    return snapshot_one(nested.value().get(), parent.value().get(), name.c_str());
}

// Copies of other runs that lie within the tree are not part of it.
bool is_somebodys_copy(std::string_view path) {
    return path.starts_with(".#") || path.find("/.#") != std::string_view::npos;
}

Result<void> snapshot_all_nested(int source, int parent, const char* name, const std::vector<std::string>& nested) {
    const Result<UniqueFd> copy = open_subvolume(parent, name);
    if (!copy.ok()) {
        return copy.system_error();
    }
    for (const std::string& path : nested) {
        if (is_somebodys_copy(path)) {
            continue;
        }
        if (const Result<void> done = snapshot_nested(source, copy.value().get(), path); !done.ok()) {
            return done;
        }
    }
    return {};
}

Result<void> set_read_only(int directory, bool read_only) {
    uint64_t flags = 0;
    if (ioctl(directory, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0) {
        return last_error("BTRFS_IOC_SUBVOL_GETFLAGS");
    }
    const uint64_t wanted = read_only ? flags | BTRFS_SUBVOL_RDONLY : flags & ~uint64_t{BTRFS_SUBVOL_RDONLY};
    return wanted == flags ? Result<void>()
                           : check(ioctl(directory, BTRFS_IOC_SUBVOL_SETFLAGS, &wanted), "BTRFS_IOC_SUBVOL_SETFLAGS");
}

Result<void> delete_one(int parent, const char* name) {
    btrfs_ioctl_vol_args arguments{};
    if (std::strlen(name) >= sizeof arguments.name) {
        return SystemError{ENAMETOOLONG, "BTRFS_IOC_SNAP_DESTROY"};
    }
    std::strcpy(arguments.name, name); // NOLINT(clang-analyzer-security.insecureAPI.strcpy): length checked above
    return check(ioctl(parent, BTRFS_IOC_SNAP_DESTROY, &arguments), "BTRFS_IOC_SNAP_DESTROY");
}

} // namespace

bool is_subvolume(int directory) {
    struct stat status {};
    struct statfs file_system {};
    return fstat(directory, &status) == 0 && status.st_ino == BTRFS_FIRST_FREE_OBJECTID &&
           fstatfs(directory, &file_system) == 0 && file_system.f_type == BTRFS_SUPER_MAGIC;
}

Result<void> snapshot_subvolume(int source, int parent, const char* name) {
    // Listed first: the copy may come to lie inside the source.
    const Result<std::vector<std::string>> nested = all_nested_in(source);
    if (!nested.ok()) {
        return nested.system_error();
    }
    if (const Result<void> made = snapshot_one(source, parent, name); !made.ok()) {
        return made;
    }
    Result<void> done = snapshot_all_nested(source, parent, name, nested.value());
    if (!done.ok()) {
        (void)delete_subvolume(parent, name); // the first error is the one to tell
    }
    return done;
}

Result<void> make_subvolume_read_only(int directory) {
    const Result<std::vector<std::string>> nested = all_nested_in(directory);
    if (!nested.ok()) {
        return nested.system_error();
    }
    for (const std::string& path : nested.value()) {
        const Result<UniqueFd> inner = open_subvolume(directory, path.c_str());
        const Result<void> done = inner.ok() ? set_read_only(inner.value().get(), true) : inner.system_error();
        if (!done.ok()) {
            return done;
        }
    }
    return set_read_only(directory, true);
}

Result<void> delete_subvolume(int parent, const char* name) {
    const Result<UniqueFd> top = open_subvolume(parent, name);
    if (!top.ok()) {
        return top.system_error();
    }
    if (!is_subvolume(top.value().get())) {
        return SystemError{ENOTTY, "fstatfs"};
    }
    Result<std::vector<std::string>> nested = all_nested_in(top.value().get());
    if (!nested.ok()) {
        return nested.system_error();
    }
    // What is in a read-only subvolume cannot be deleted: writable from the top down, deleted from the bottom up.
    (void)set_read_only(top.value().get(), false);
    for (const std::string& path : nested.value()) {
        if (const Result<UniqueFd> inner = open_subvolume(top.value().get(), path.c_str()); inner.ok()) {
            (void)set_read_only(inner.value().get(), false);
        }
    }
    std::reverse(nested.value().begin(), nested.value().end());
    for (const std::string& path : nested.value()) {
        const Result<UniqueFd> holder = open_subvolume(top.value().get(), parent_of(path).c_str());
        if (!holder.ok()) {
            return holder.system_error();
        }
        if (Result<void> done = delete_one(holder.value().get(), std::string(base_name(path)).c_str()); !done.ok()) {
            return done;
        }
    }
    return delete_one(parent, name);
}

} // namespace nspawn
