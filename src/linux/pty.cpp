#include "linux/pty.hpp"

#include "base/file.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>

namespace nspawn {

Result<UniqueFd> open_pty_peer(int master) {
    UniqueFd peer(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!peer) {
        return last_error("TIOCGPTPEER");
    }
    return peer;
}

Result<Pty> open_pty(int devpts) {
    Result<UniqueFd> master = open_at(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (!master.ok()) {
        return master.system_error();
    }
    Pty pty;
    pty.master = std::move(master).value();
    const int unlocked = 0;
    if (ioctl(pty.master.get(), TIOCSPTLCK, &unlocked) < 0) {
        return last_error("TIOCSPTLCK");
    }
    if (ioctl(pty.master.get(), TIOCGPTN, &pty.number) < 0) {
        return last_error("TIOCGPTN");
    }
    Result<UniqueFd> slave = open_pty_peer(pty.master.get());
    if (!slave.ok()) {
        return slave.system_error();
    }
    pty.slave = std::move(slave).value();
    return pty;
}

} // namespace nspawn
