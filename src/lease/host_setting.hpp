// host_setting.hpp — a kernel setting of the host that is changed for a while and given back.
//
// What was there before is written down in a directory before it is changed, so that whoever comes after a killed run
// can give it back too. A setting that somebody else has changed meanwhile is theirs and stays. Knows nothing of who
// needs it; the lease table says when. The caller has the directory to itself. Source: proc(5), "/proc/sys".
#pragma once

#include "base/result.hpp"

#include <string>

namespace nspawn {

// `name`: a path below /proc/sys. Nothing is done, and nothing written down, if it has the value already.
Result<void> change_setting(const std::string& directory, const std::string& name, const std::string& value);
// It was changed and not given back yet.
bool is_recorded(const std::string& directory, const std::string& name);
// All of our network namespace. What was changed in another one is left to those there, and forgotten when it is gone.
void restore_settings(const std::string& directory);

} // namespace nspawn
