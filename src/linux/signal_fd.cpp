#include "linux/signal_fd.hpp"

namespace nspawn {

Result<SignalFd> SignalFd::block(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals) {
        if (sigaddset(&set, signal) < 0) {
            return last_error("sigaddset");
        }
    }
    // The descriptor first: when it cannot be had, nothing was blocked.
    UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) {
        return last_error("signalfd");
    }
    sigset_t previous;
    if (sigprocmask(SIG_BLOCK, &set, &previous) < 0) {
        return last_error("sigprocmask");
    }
    return SignalFd(std::move(fd), previous);
}

Result<std::optional<signalfd_siginfo>> SignalFd::next() {
    signalfd_siginfo info{};
    for (;;) {
        const ssize_t got = ::read(fd_.get(), &info, sizeof info);
        if (got == static_cast<ssize_t>(sizeof info)) {
            return std::optional(info);
        }
        if (got >= 0) {
            return SystemError{EIO, "read"};
        }
        if (errno == EAGAIN) {
            return std::optional<signalfd_siginfo>();
        }
        if (errno != EINTR) {
            return last_error("read");
        }
    }
}

Result<void> SignalFd::restore_mask() const {
    return check(sigprocmask(SIG_SETMASK, &previous_, nullptr), "sigprocmask");
}

} // namespace nspawn
