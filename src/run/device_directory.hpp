// device_directory.hpp — the container's /dev with its nodes and links, made by the supervisor.
//
// Two processes at work on a start are faster than one: while the child lets go of the host's tree, which takes the
// kernel a while, the supervisor makes what goes into /dev. Only where the plan says so (supervisor_makes_dev()). Its
// files belong to the container's root. Nothing can be seen from the host: the mount is a detached one until the child
// attaches it.
#pragma once

#include "linux/mount_fd.hpp"
#include "plan/plan.hpp"

namespace nspawn {

// With a umask of 0. An entry that is not required and cannot be made is a warning.
MountFd make_device_directory(const Plan& plan);

// Part of what make_device_directory() makes.
bool is_in_device_directory(const Operation& operation);

} // namespace nspawn
