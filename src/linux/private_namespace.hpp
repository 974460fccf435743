// private_namespace.hpp — making a mount of something that only an attached mount allows.
//
// Linux before 6.15 attaches nothing to a detached mount, copies nothing from it and takes it for no overlay's layer. A
// short-lived process of our own attaches it where nobody else can see it, makes the new mount and hands it back; its
// namespace, and what was attached there, go with it. Source: mount_namespaces(7), move_mount(2), unix(7) SCM_RIGHTS.
#pragma once

#include "linux/mount_fd.hpp"

#include <functional>
#include <span>
#include <vector>

namespace nspawn {

// Runs `make` in another process, where `mounts`, detached ones, are attached on top of each other. Its answer are
// mounts that are detached here, eight at most; the ones that were given are nothing to be attached any more. What else
// `make` does stays in that process.
Result<std::vector<MountFd>> make_where_attached(std::span<const MountFd* const> mounts,
                                                 const std::function<Result<std::vector<MountFd>>()>& make);

// The same with one of each.
Result<MountFd> make_where_attached(const MountFd& tree, const std::function<Result<MountFd>()>& make);

} // namespace nspawn
