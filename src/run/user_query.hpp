// user_query.hpp — who a user is, asked of the container's own getent(1).
//
// For names that the tree's passwd file does not hold (NIS, LDAP, userdb). getent is a program of the hostile tree, so
// it runs without any capability, cannot look at our process, is bounded in output and time, and everything it may
// have left behind is killed before the payload starts.
#pragma once

#include "image/image_facts.hpp"
#include "run/child_state.hpp"

#include <string>

namespace nspawn {

// Throws when getent is missing or does not know the user.
UserRecord query_user_inside(const std::string& name, const ChildState& state);

} // namespace nspawn
