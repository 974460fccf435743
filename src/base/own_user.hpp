// own_user.hpp — whose process this is.
#pragma once

#include <sys/auxv.h>
#include <sys/types.h>

namespace nspawn {

// The effective user as the process was started, without a system call; a supervisor never changes it. Source:
// getauxval(3), AT_EUID.
inline uid_t own_user() { return static_cast<uid_t>(getauxval(AT_EUID)); }

} // namespace nspawn
