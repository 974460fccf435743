// pty.hpp — a pseudo terminal of a given devpts instance.
//
// Owns both ends. Works on the descriptor of the devpts mount, attached anywhere or not yet, and never looks up a path
// in the container: the other end is taken from the kernel (TIOCGPTPEER), not from /dev/pts/N, which the container
// could have replaced. Source: pts(4), ioctl_tty(2), TIOCGPTPEER.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace nspawn {

struct Pty {
    UniqueFd master; // O_NONBLOCK
    UniqueFd slave;  // opened with O_NOCTTY
    unsigned number = 0;
};

// A new pseudo terminal in the devpts whose root directory is `devpts`.
Result<Pty> open_pty(int devpts);
// Another descriptor of the terminal whose master is given.
Result<UniqueFd> open_pty_peer(int master);

} // namespace nspawn
