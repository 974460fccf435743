// mount_fd.hpp — a detached mount, held by its file descriptor.
//
// Owns one mount that no path leads to yet: dropping it unmounts it, attach() gives it away. Attributes are set
// before it is attached, so nothing is ever remounted and nobody sees a half-protected mount.
// Source: fsopen(2), fsmount(2), open_tree(2), move_mount(2), mount_setattr(2).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <fcntl.h>

namespace nspawn {

struct MountOption {
    std::string name;
    std::string value; // empty: a flag
    int fd = -1;       // not -1: an open file is the value, for MountFd::create() alone (FSCONFIG_SET_FD)
};

enum class Recursive { no, yes };
// Of a path whose last component is a symbolic link: the link itself, or what it leads to.
enum class FinalLink { kept, followed };

// How a mount's changes reach its peers, mount_namespaces(7). Values are the kernel's MS_* flags.
enum class Propagation : uint64_t { unchanged = 0, shared = 1 << 20, slave = 1 << 19, private_ = 1 << 18 };

struct MountAttributes {
    uint64_t set = 0;   // MOUNT_ATTR_*
    uint64_t clear = 0; // MOUNT_ATTR_*
    Propagation propagation = Propagation::unchanged;
};

class MountFd {
public:
    MountFd() = default;
    explicit MountFd(UniqueFd fd) : fd_(std::move(fd)) {}

    // A new instance of file system `type`; `attributes` are MOUNT_ATTR_* of mount_setattr(2). What the kernel says of
    // a failure beside the errno goes to `complaint`.
    static Result<MountFd> create(const char* type, std::span<const MountOption> options, uint64_t attributes,
                                  std::string* complaint = nullptr);
    // procfs of the processes of another pid namespace. EINVAL: this kernel shows a process only those of its own.
    static Result<MountFd> create_proc(int pid_namespace, std::span<const MountOption> options, uint64_t attributes);
    // A detached copy of the mount that shows `path`, with its submounts if recursive. An empty path means `at` itself.
    static Result<MountFd> clone_of(int at, const char* path, Recursive recursive, FinalLink link = FinalLink::kept);

    // The same with attributes and propagation set before anybody sees it: one call where the kernel has
    // open_tree_attr(2) (Linux 6.15), two elsewhere.
    static Result<MountFd> clone_with(int at, const char* path, Recursive recursive, const MountAttributes& attributes,
                                      FinalLink link = FinalLink::kept);

    // Sets and clears MOUNT_ATTR_*, and the propagation, of the mount or of the whole tree.
    [[nodiscard]] Result<void> set_attributes(uint64_t set, uint64_t clear, Propagation propagation,
                                              Recursive recursive) const;
    // Shows the files of user X of the file system as those that X stands for in this user namespace. Only before the
    // mount is attached. EINVAL: the file system cannot; EPERM: not here, or it is mapped already.
    [[nodiscard]] Result<void> set_id_map(int user_namespace, Recursive recursive) const;
    // Moves the mount to `target` below `at`; the last component is not followed. The descriptor stays open and now
    // stands for the attached mount.
    [[nodiscard]] Result<void> attach(int at, const char* target) const;
    // The same onto an open directory or file.
    [[nodiscard]] Result<void> attach_onto(int target) const;

    // Read-only for every mount of this file system instance, not only for this one.
    [[nodiscard]] Result<void> make_file_system_read_only() const;

    [[nodiscard]] int get() const { return fd_.get(); }
    [[nodiscard]] bool valid() const { return fd_.valid(); }
    // Gives up an attached mount's descriptor without closing it, for a process whose exec is about to close all of
    // them at once.
    void leave_open() { (void)fd_.release(); }

private:
    UniqueFd fd_;
};

// mount(2): a new instance of a file system straight onto `target`, in one call and with its attributes from the start.
// For a process that sees nothing but the container's tree: the last component is followed.
Result<void> mount_file_system(const char* type, const char* target, std::span<const MountOption> options,
                               uint64_t attributes);
// mount(2) with MS_BIND: `source` once more at `target`, with the attributes of the source's mount. One call, for a
// process that sees nothing but the container's tree and for targets that no image has a say in: links are followed.
Result<void> bind_mount(const char* source, const char* target);
// mount_setattr(2) on what is already attached at `path`.
Result<void> set_mount_attributes(int at, const char* path, uint64_t set, uint64_t clear, Propagation propagation,
                                  Recursive recursive);
// Whether another mount starts there. `at` itself for an empty path; a link is not followed, and what cannot be looked
// at is none.
bool is_mount_point(int at, const char* path);
// Makes the directory that the working directory is in the root, the old root on top of it: pivot_root(".", ".").
Result<void> pivot_to_working_directory();

} // namespace nspawn
