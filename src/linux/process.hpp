// process.hpp — creating processes and waiting for them by pidfd. Source: clone3(2), pidfd_open(2), waitid(2).
//
// A Pidfd never outlives its process's identity: no pid is ever reused behind it. Never installs signal handlers.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>

#include <sys/types.h>

namespace nspawn {

// How a process ended, as waitid(2) tells it.
struct ProcessEnd {
    bool exited = false; // false: killed by `signal`
    int status = 0;      // exit status when exited
    int signal = 0;
    bool dumped_core = false;
};

class Pidfd {
public:
    Pidfd() = default;
    Pidfd(UniqueFd fd, pid_t pid) : fd_(std::move(fd)), pid_(pid) {}

    [[nodiscard]] int get() const { return fd_.get(); }
    // There is a process, and it has not been reaped.
    [[nodiscard]] bool valid() const { return fd_.valid() && !reaped_; }
    [[nodiscard]] pid_t pid() const { return pid_; } // as the caller's pid namespace numbers it
    [[nodiscard]] Result<void> send_signal(int signal) const;
    // Waits for a child and reaps it.
    [[nodiscard]] Result<ProcessEnd> wait();

private:
    UniqueFd fd_;
    pid_t pid_ = 0;
    bool reaped_ = false;
};

struct CloneRequest {
    uint64_t flags = 0; // CLONE_NEW*, CLONE_PARENT and the like; CLONE_PIDFD is added
    int cgroup = -1;    // v2 cgroup directory to be born in; -1: the caller's
};
// As fork(2): in the child the result is an invalid Pidfd with pid 0.
Result<Pidfd> clone_process(const CloneRequest& request);

} // namespace nspawn
