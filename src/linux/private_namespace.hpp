// private_namespace.hpp — making a mount of something that only an attached mount allows.
//
// Linux before 6.15 attaches nothing to a detached mount, copies nothing from it and takes it for no overlay's layer. A
// short-lived process of our own attaches it where nobody else can see it, makes the new mount and hands it back; its
// namespace, and what was attached there, go with it. Source: mount_namespaces(7), move_mount(2), unix(7) SCM_RIGHTS.
#pragma once

#include "linux/mount_fd.hpp"

#include <functional>

namespace nspawn {

// Runs `make` in another process, where `tree`, a detached mount, is attached. Its answer is a mount that is detached
// here; `tree` itself is nothing to be attached any more. What else `make` does stays in that process.
Result<MountFd> make_where_attached(const MountFd& tree, const std::function<Result<MountFd>()>& make);

} // namespace nspawn
