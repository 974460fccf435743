// private_users.hpp — what --private-users= and its companions ask for, and the grammar they are asked in.
//
// Pure: which ids a picked range will have, and whose the tree is, is settled later by image/private_users. What is
// wrong is thrown as an Error with the reason alone; the caller knows whose value it was. Source of the grammar:
// systemd-nspawn(1) "User Namespacing Options"; maps of several ranges are ours.
#pragma once

#include "linux/id_map.hpp"

#include <string>
#include <string_view>

namespace nspawn {

enum class UserMode {
    host, // no user namespace
    tree, // "yes": the range that the tree's top directory belongs to
    pick, // a free range
    map,  // Config::user_map, as given
};

// How the files of the tree come to belong to the container's users.
enum class TreeOwnership {
    off,       // they do already, or are nobody's concern
    chown,     // each file is given to them
    map,       // an id-mapped mount
    automatic, // map where the kernel and the file system can, else chown
};

struct UserChoice {
    UserMode mode = UserMode::host;
    IdRanges map; // with UserMode::map
};

// pick, identity, BASE[:COUNT], INSIDE:OUTSIDE:COUNT[,…], or a boolean. `boolean_first`: 0 and 1 are booleans, as in
// settings files, and not base ids.
UserChoice parse_private_users(std::string_view text, bool boolean_first);
// off, chown, map, auto, or a boolean.
TreeOwnership parse_tree_ownership(std::string_view text);

// What is parsed into the same again.
std::string format_private_users(const UserChoice& choice);
std::string_view format_tree_ownership(TreeOwnership ownership);

} // namespace nspawn
