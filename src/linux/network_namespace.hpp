// network_namespace.hpp — descriptors of network namespaces.
//
// Opens and compares them, never enters one. Source: namespaces(7), ioctl_nsfs(2).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>

#include <sys/types.h>

namespace nspawn {

// EINVAL: what is there is no network namespace.
Result<UniqueFd> open_network_namespace(const char* path);
// Of a process that is ours to wait for, so that its number stays its own.
Result<UniqueFd> open_network_namespace(pid_t pid);

// What tells two namespaces that exist apart.
Result<uint64_t> network_namespace_number(int fd);
Result<uint64_t> own_network_namespace_number();
// Some process is in the namespace of that number, or something is mounted that keeps it. One that only a descriptor
// keeps counts as gone.
bool network_namespace_exists(uint64_t number);

} // namespace nspawn
