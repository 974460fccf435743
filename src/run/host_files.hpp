// host_files.hpp — the host's side of bringing /etc/resolv.conf and /etc/localtime into the container, once per start.
//
// Owns what has to be fetched while the host's tree is at hand: contents and detached mounts. Leaves out what the tree
// has already, which is the usual case and has to be cheap: same size and time of change, as the copy was given.
// Never writes; the child does that in the container's tree (child_host_files.cpp). Source: spec C.10.
#pragma once

#include "linux/mount_fd.hpp"
#include "plan/plan.hpp"

#include <ctime>
#include <string>
#include <vector>

namespace nspawn {

struct PreparedHostFile {
    const HostFile* file = nullptr;
    HostFileAction action = HostFileAction::copy; // remove where the host has no file to copy
    MountFd mount;                                // of bind, and of link where the zone may not be there
    std::string content;                          // of copy and replace
    timespec modified{};
};

// `root`: what becomes the container's "/".
std::vector<PreparedHostFile> prepare_host_files(const Plan& plan, int root);

// No name server in it can be reached from another network: all are on the loopback interface.
bool has_only_loopback_servers(std::string_view resolv_conf);

} // namespace nspawn
