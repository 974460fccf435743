// path_claim.hpp — a path that several living runs may use at the same time, since machines can have the same name.
//
// Owns a shared lock on one byte of a file that stays, /run/nspawn/claims; which byte follows from the path. Who wants
// to remove what is there asks to be alone with it first, and has it alone until this is gone. Never looks at the path.
// Source: fcntl(2), "Open file description locks".
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string_view>

namespace nspawn {

class PathClaim {
public:
    PathClaim() = default; // on nothing

    // Beside others; waits for one who is alone with it, to remove it.
    static Result<PathClaim> share(std::string_view path);
    // EAGAIN: a living run uses it.
    static Result<PathClaim> alone(std::string_view path);

    // From a shared one; of several who ask at the same time one gets it. EAGAIN: others use it, and this claim is
    // given up.
    [[nodiscard]] Result<void> become_alone();

private:
    PathClaim(UniqueFd file, off_t byte) : file_(std::move(file)), byte_(byte) {}
    static Result<PathClaim> take(std::string_view path, int command, short type);

    UniqueFd file_;
    off_t byte_ = 0;
};

} // namespace nspawn
