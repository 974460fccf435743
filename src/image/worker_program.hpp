// worker_program.hpp — where nspawn's own helper programs lie (nspawn-dissect, nspawn-network).
//
// A worker is looked for where it was installed relative to the running nspawn, and beside it in a build tree; never in
// $PATH or the working directory. Starts nothing.
#pragma once

#include <string>
#include <string_view>

namespace nspawn {

// Throws Error: "`purpose` need the program …".
std::string find_worker(std::string_view name, std::string_view purpose);

} // namespace nspawn
