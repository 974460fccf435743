// image_facts.hpp — what was read from the tree before the start, all of it bounded and validated.
//
// Plain data, input of the plan. Nothing here is a path that will be opened again: the tree itself is held by
// RootTree's descriptor.
#pragma once

#include "base/id128.hpp"
#include "image/bound_user.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace nspawn {

// A user as the tree's own passwd and group files tell it.
struct UserRecord {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups; // supplementary, without `gid`
    std::string home = "/";
    std::string shell;
};

struct ImageFacts {
    std::string machine;                     // final machine name, with the ephemeral suffix
    std::string path;                        // the tree as the user knows it, for messages
    std::optional<Id128> machine_id;         // the tree's own /etc/machine-id when it is initialized
    std::optional<UserRecord> user;          // --user= as found in the tree; empty: root or ask getent inside
    bool read_only = false;                  // the tree may not be written
    bool is_host_root = false;               // the tree is "/"
    bool init_is_32bit = false;              // the tree's init is an ELF32 file of this machine's family
    std::vector<BoundUser> bound_users;      // --bind-user=
    std::optional<unsigned> systemd_version; // of libsystemd-shared in the tree
};

} // namespace nspawn
