// signal_fd.hpp — signals as something to read.
//
// Blocks a set of signals and owns the descriptor they arrive on. The mask from before is kept for the child, which
// must start its program with the mask the caller had, and for restore_mask(). Dropping the object closes the
// descriptor and leaves the signals blocked: one that is still pending must not kill the supervisor on its way out.
// Source: signalfd(2), sigprocmask(2).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <initializer_list>
#include <optional>

#include <signal.h>
#include <sys/signalfd.h>

namespace nspawn {

class SignalFd {
public:
    static Result<SignalFd> block(std::initializer_list<int> signals);

    // Readable when a signal is pending.
    [[nodiscard]] int fd() const { return fd_.get(); }
    // The next pending signal; nothing when there is none. Never blocks.
    Result<std::optional<signalfd_siginfo>> next();
    [[nodiscard]] const sigset_t& previous_mask() const { return previous_; }
    Result<void> restore_mask() const;

private:
    SignalFd(UniqueFd fd, const sigset_t& previous) : fd_(std::move(fd)), previous_(previous) {}

    UniqueFd fd_;
    sigset_t previous_{};
};

} // namespace nspawn
