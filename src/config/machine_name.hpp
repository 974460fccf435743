// machine_name.hpp — what is a machine's name and a host name, and how a name is made from that of a tree.
//
// Owns the rules for names only; never looks up a machine. A machine's name is a host name, and becomes part of file
// names, so nothing but ASCII letters, digits, '-' and '.' passes. Source: systemd-nspawn(1) --machine=, hostname(7).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nspawn {

// At most 64 characters; labels of ASCII letters, digits and '-', separated by single dots; no label empty or with a
// '-' at an end. nullopt: valid; otherwise what is wrong, as the end of a sentence: "is longer than 64 characters".
std::optional<std::string_view> machine_name_problem(std::string_view name);
bool is_machine_name(std::string_view name);

// The valid name nearest to `text` (the name of a tree or of the host): characters that may not be in a name are
// dropped, and what is too long is cut. nullopt: nothing is left.
std::optional<std::string> machine_name_from(std::string_view text);

// A user's name or number as --user= takes it: one that could be in a passwd file and never reads as an option.
bool is_user_name(std::string_view name);

} // namespace nspawn
