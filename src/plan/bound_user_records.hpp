// bound_user_records.hpp — what a container is told of the host's users in it: JSON user records in /run/host/userdb.
//
// Pure. Only what the user database needs is told; passwords go into a file of their own that root alone may read.
// Sources: systemd-nspawn(1) --bind-user=, "JSON User Records" and "JSON Group Records" (systemd.io), nss-systemd(8).
#pragma once

#include "config/config.hpp"
#include "image/bound_user.hpp"
#include "plan/operation.hpp"

#include <string>
#include <vector>

namespace nspawn {

inline constexpr const char* kBoundHomes = "/run/host/home";
inline constexpr const char* kUserRecords = "/run/host/userdb";

std::string bound_home(const BoundUser& user); // in the container

// The directories, files and links, parents first.
std::vector<Operation> bound_user_records(const std::vector<BoundUser>& users, const Config& config);

} // namespace nspawn
