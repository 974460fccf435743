// bound_user.hpp — users of the host who are also users of the container (--bind-user=).
//
// Finds them in the host's user database (its files, else getent(1)), and for each an id that is free in the tree. Only
// reads. Sources: systemd-nspawn(1) --bind-user=, passwd(5), group(5), shadow(5).
#pragma once

#include "linux/id_map.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

struct BoundUser {
    std::string name;
    uint32_t host_user = 0;
    uint32_t host_group = 0; // of the same name
    uint32_t id = 0;         // of user and group in the container
    std::string home;        // on the host
    std::string shell;       // on the host; may be empty
    std::string real_name;
    std::string password; // hashed, as in shadow(5); empty: not known

    bool operator==(const BoundUser&) const = default;
};

// Contents of the files that matter.
struct AccountFiles {
    std::string passwd;
    std::string group;
    std::string shadow;
};

// Each of `names` once, in their order. Throws when one is not there, is root or nobody, has no group of its own name,
// or has a name that the tree uses already, and when no id is free.
std::vector<BoundUser> choose_bound_users(const std::vector<std::string>& names, const AccountFiles& host,
                                          const AccountFiles& tree);

// The same for this host and a tree that is held open.
std::vector<BoundUser> find_bound_users(const std::vector<std::string>& names, int tree);

// Gives each of them the place of its id in the container's map. Throws when the host's id is the container's already.
void map_bound_users(IdMap& map, const std::vector<BoundUser>& users);

} // namespace nspawn
