// private_users.hpp — a container's users, settled: which ids of the host they are, and how the tree becomes theirs.
//
// Owns the lock of a picked range and gives out id-mapped mounts of the tree. Decides from the options, the owner of
// the tree's top directory and what the kernel and the file system can; changes nothing by itself. Sources: spec A.4
// and C.11; user_namespaces(7); mount_setattr(2) "ID-mapped mounts".
#pragma once

#include "base/error.hpp"
#include "config/config.hpp"
#include "image/uid_range.hpp"
#include "linux/id_map.hpp"
#include "linux/mount_fd.hpp"

#include <string>

namespace nspawn {

class PrivateUsers {
public:
    struct Request {
        const Config& config;
        int tree; // top directory
        const std::string& path;
        const std::string& machine;
        bool read_only;
    };
    PrivateUsers() = default; // none
    static PrivateUsers settle(const Request& request);

    [[nodiscard]] bool any() const { return !map_.empty(); }
    [[nodiscard]] const IdMap& map() const { return map_; }
    // Off, chown or map, and map only with a tree that needs it.
    [[nodiscard]] TreeOwnership ownership() const { return ownership_; }
    // The container's root on the host.
    [[nodiscard]] uint32_t root() const;

    // The directory `tree`, without what is mounted below it, as a mount in which its files are the container's.
    [[nodiscard]] MountFd mapped_mount(int tree) const;

    UidRange& range() { return range_; }

private:
    IdMap map_;
    TreeOwnership ownership_ = TreeOwnership::off;
    UidRange range_;
};

// A new user namespace was refused with ENOSPC, EUSERS or EPERM.
inline constexpr const char* kNoUserNamespaceHint =
    "This host allows no new user namespaces, or no more of them: look at /proc/sys/user/max_user_namespaces, "
    "kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns.";

// The failure of an id-mapped mount, with what to do about it.
Error explain_id_map(Error error);

} // namespace nspawn
