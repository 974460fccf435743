#include "linux/process.hpp"

#include <csignal>

#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {

Result<void> Pidfd::send_signal(int signal) const {
    return check(syscall(SYS_pidfd_send_signal, get(), signal, nullptr, 0), "pidfd_send_signal");
}

Result<ProcessEnd> Pidfd::wait() {
    siginfo_t info{};
    while (waitid(P_PIDFD, static_cast<id_t>(get()), &info, WEXITED) < 0) {
        if (errno != EINTR) {
            return last_error("waitid");
        }
    }
    reaped_ = true;
    ProcessEnd end;
    end.exited = info.si_code == CLD_EXITED;
    if (end.exited) {
        end.status = info.si_status;
    } else {
        end.signal = info.si_status;
        end.dumped_core = info.si_code == CLD_DUMPED;
    }
    return end;
}

Result<Pidfd> clone_process(const CloneRequest& request) {
    int pidfd = -1;
    clone_args arguments{};
    arguments.flags = request.flags | CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
    arguments.exit_signal = (request.flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD; // a sibling has the signal that we have
    if (request.cgroup >= 0) {
        // Born in its cgroup: writing cgroup.procs afterwards waits for an RCU grace period, 12 ms on an idle machine.
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = static_cast<uint64_t>(request.cgroup);
    }
    const long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) {
        return last_error("clone3");
    }
    if (pid == 0) {
        return Pidfd();
    }
    return Pidfd(UniqueFd(pidfd), static_cast<pid_t>(pid));
}

} // namespace nspawn
