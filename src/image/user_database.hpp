// user_database.hpp — a user as the tree's own passwd and group files tell it.
//
// The files are hostile input: read in-root as regular files only, at most 1 MiB each, lines up to 4096 bytes, 65536
// entries; what is longer or malformed is skipped. Never asks the host's user database and never runs anything.
// Sources: passwd(5), group(5).
#pragma once

#include "image/image_facts.hpp"

#include <optional>
#include <string_view>

namespace nspawn {

// `user` is a name or a number. A number always answers: with the entry of that uid, else with group = uid and home
// "/". A name that is not in the files answers nothing. Throws when it is a number that is no uid.
std::optional<UserRecord> find_user(int tree, std::string_view user);

// The same on the files' contents.
std::optional<UserRecord> find_user_in(std::string_view passwd, std::string_view group, std::string_view user);

} // namespace nspawn
