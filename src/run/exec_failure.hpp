// exec_failure.hpp — how "the command could not be started" travels to the supervisor.
//
// One message, written with one write(2) to a close-on-exec descriptor that only the process about to become the
// payload still holds: end of file there without a message means that the payload runs. Plain data without a
// constructor, so that the stub init, which has no C library, includes it too.
#pragma once

#include <stdint.h>

namespace nspawn {

// What to say when execve(2) finds nothing although the file is there (the stub init reports that as ELIBACC).
inline constexpr const char* kMissingInterpreter =
    "The file is there; the interpreter or dynamic loader it names is missing in the tree.";

struct ExecFailure {
    // errno of execve(2), or of the call named in `path`. ENOENT: there is no such file; a bare word was searched in
    // the payload's PATH. ELIBACC: the file is there, but not the interpreter or dynamic loader that it asks for.
    int32_t code;
    char path[240]; // what could not be executed, NUL-terminated, cut when longer
};
static_assert(sizeof(ExecFailure) == 244, "both ends are built separately");

} // namespace nspawn
