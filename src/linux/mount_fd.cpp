#include "linux/mount_fd.hpp"

#include <array>
#include <vector>

#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// <sys/mount.h> and <linux/mount.h> do not go together; the kernel's header is the one with the structures.
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif

namespace nspawn {

namespace {

Result<void> configure(int context, unsigned command, const char* key, const char* value, int aux = 0) {
    return check(syscall(SYS_fsconfig, context, command, key, value, aux), "fsconfig");
}

Result<void> set_option(int context, const MountOption& option) {
    if (option.fd >= 0) {
        return configure(context, FSCONFIG_SET_FD, option.name.c_str(), nullptr, option.fd);
    }
    const bool flag = option.value.empty();
    return configure(context, flag ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, option.name.c_str(),
                     flag ? nullptr : option.value.c_str());
}

// The messages of a file system context, one to a read: "e overlay: …" for an error, "w …" for a warning.
void read_complaint(int context, std::string& complaint) {
    std::array<char, 256> message; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    for (ssize_t got = 0; (got = read(context, message.data(), message.size())) > 2;) {
        if (message[0] == 'e') {
            complaint.assign(message.data() + 2, static_cast<size_t>(got) - 2);
            while (complaint.ends_with('\n')) {
                complaint.pop_back();
            }
        }
    }
}

Result<void> make_instance(int context, std::span<const MountOption> options) {
    for (const MountOption& option : options) {
        if (const Result<void> set = set_option(context, option); !set.ok()) {
            return set;
        }
    }
    return configure(context, FSCONFIG_CMD_CREATE, nullptr, nullptr);
}

} // namespace

Result<MountFd> MountFd::create_proc(int pid_namespace, std::span<const MountOption> options, uint64_t attributes) {
    std::vector<MountOption> all = {{"pidns", "", pid_namespace}, {"source", "proc"}};
    all.insert(all.end(), options.begin(), options.end());
    return create("proc", all, attributes);
}

Result<MountFd> MountFd::create(const char* type, std::span<const MountOption> options, uint64_t attributes,
                                std::string* complaint) {
    const UniqueFd context(static_cast<int>(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)));
    if (!context) {
        return last_error("fsopen");
    }
    if (const Result<void> made = make_instance(context.get(), options); !made.ok()) {
        if (complaint != nullptr) {
            read_complaint(context.get(), *complaint);
        }
        return made.system_error();
    }
    UniqueFd mount(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes)));
    if (!mount) {
        return last_error("fsmount");
    }
    return MountFd(std::move(mount));
}

namespace {

// As <linux/mount.h> of Linux 6.15 and all architectures have it.
constexpr long kOpenTreeAttr = 467;

unsigned clone_flags(const char* path, Recursive recursive, FinalLink link) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    if (link == FinalLink::kept) {
        flags |= AT_SYMLINK_NOFOLLOW;
    }
    if (*path == '\0') {
        flags |= AT_EMPTY_PATH;
    }
    if (recursive == Recursive::yes) {
        flags |= AT_RECURSIVE;
    }
    return flags;
}

Result<void> set_attributes_at(int at, const char* path, unsigned flags, uint64_t set, uint64_t clear,
                               Propagation propagation, Recursive recursive) {
    mount_attr attributes{};
    attributes.attr_set = set;
    attributes.attr_clr = clear;
    attributes.propagation = static_cast<uint64_t>(propagation);
    if (recursive == Recursive::yes) {
        flags |= AT_RECURSIVE;
    }
    return check(syscall(SYS_mount_setattr, at, path, flags, &attributes, sizeof attributes), "mount_setattr");
}

} // namespace

Result<MountFd> MountFd::clone_of(int at, const char* path, Recursive recursive, FinalLink link) {
    UniqueFd mount(static_cast<int>(syscall(SYS_open_tree, at, path, clone_flags(path, recursive, link))));
    if (!mount) {
        return last_error("open_tree");
    }
    return MountFd(std::move(mount));
}

Result<MountFd> MountFd::clone_with(int at, const char* path, Recursive recursive, const MountAttributes& attributes,
                                    FinalLink link) {
    mount_attr wanted{};
    wanted.attr_set = attributes.set;
    wanted.attr_clr = attributes.clear;
    wanted.propagation = static_cast<uint64_t>(attributes.propagation);
    UniqueFd mount(
        static_cast<int>(syscall(kOpenTreeAttr, at, path, clone_flags(path, recursive, link), &wanted, sizeof wanted)));
    if (mount) {
        return MountFd(std::move(mount));
    }
    if (errno != ENOSYS) {
        return last_error("open_tree_attr");
    }
    Result<MountFd> cloned = clone_of(at, path, recursive, link);
    if (cloned.ok()) {
        const Result<void> set =
            cloned.value().set_attributes(attributes.set, attributes.clear, attributes.propagation, recursive);
        if (!set.ok()) {
            return set.system_error();
        }
    }
    return cloned;
}

Result<void> MountFd::set_attributes(uint64_t set, uint64_t clear, Propagation propagation, Recursive recursive) const {
    return set_attributes_at(get(), "", AT_EMPTY_PATH, set, clear, propagation, recursive);
}

Result<void> MountFd::set_id_map(int user_namespace, Recursive recursive) const {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<uint64_t>(user_namespace);
    const unsigned flags = AT_EMPTY_PATH | (recursive == Recursive::yes ? AT_RECURSIVE : 0);
    return check(syscall(SYS_mount_setattr, get(), "", flags, &attributes, sizeof attributes), "mount_setattr");
}

Result<void> MountFd::attach(int at, const char* target) const {
    return check(syscall(SYS_move_mount, get(), "", at, target, MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
}

Result<void> MountFd::attach_onto(int target) const {
    return check(syscall(SYS_move_mount, get(), "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
                 "move_mount");
}

Result<void> MountFd::make_file_system_read_only() const {
    const UniqueFd context(
        static_cast<int>(syscall(SYS_fspick, get(), "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH | FSPICK_NO_AUTOMOUNT)));
    if (!context) {
        return last_error("fspick");
    }
    if (const Result<void> set = configure(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr); !set.ok()) {
        return set;
    }
    return configure(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr);
}

namespace {

constexpr struct {
    uint64_t attribute;
    unsigned long flag;                           // of mount(2)
} kMountFlags[] = {{MOUNT_ATTR_RDONLY, 1},        // MS_RDONLY
                   {MOUNT_ATTR_NOSUID, 2},        // MS_NOSUID
                   {MOUNT_ATTR_NODEV, 4},         // MS_NODEV
                   {MOUNT_ATTR_NOEXEC, 8},        // MS_NOEXEC
                   {MOUNT_ATTR_NOSYMFOLLOW, 256}, // MS_NOSYMFOLLOW
                   {MOUNT_ATTR_NOATIME, 1024},    // MS_NOATIME
                   {MOUNT_ATTR_NODIRATIME, 2048}, // MS_NODIRATIME
                   {MOUNT_ATTR_STRICTATIME, 1 << 24}};

// "a,b=c,d="e,f"": a value with a comma is quoted, as SELinux's context= needs it.
std::string option_string(std::span<const MountOption> options) {
    std::string text;
    for (const MountOption& option : options) {
        if (!text.empty()) {
            text += ',';
        }
        text += option.name;
        if (!option.value.empty()) {
            const bool quote = option.value.find(',') != std::string::npos;
            text.append(quote ? "=\"" : "=").append(option.value).append(quote ? "\"" : "");
        }
    }
    return text;
}

} // namespace

Result<void> mount_file_system(const char* type, const char* target, std::span<const MountOption> options,
                               uint64_t attributes) {
    unsigned long flags = 0;
    for (const auto& known : kMountFlags) {
        if ((attributes & known.attribute) == known.attribute) {
            flags |= known.flag;
        }
    }
    return check(syscall(SYS_mount, type, target, type, flags, option_string(options).c_str()), "mount");
}

Result<void> bind_mount(const char* source, const char* target) {
    constexpr unsigned long kBind = 4096; // MS_BIND
    return check(syscall(SYS_mount, source, target, nullptr, kBind, nullptr), "mount");
}

Result<void> set_mount_attributes(int at, const char* path, uint64_t set, uint64_t clear, Propagation propagation,
                                  Recursive recursive) {
    return set_attributes_at(at, path, *path == '\0' ? AT_EMPTY_PATH : 0, set, clear, propagation, recursive);
}

bool is_mount_point(int at, const char* path) {
    struct statx status {};
    const int flags = AT_SYMLINK_NOFOLLOW | (*path == '\0' ? AT_EMPTY_PATH : 0);
    return statx(at, path, flags, STATX_TYPE, &status) == 0 && (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

Result<void> pivot_to_working_directory() { return check(syscall(SYS_pivot_root, ".", "."), "pivot_root"); }

} // namespace nspawn
