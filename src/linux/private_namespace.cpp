#include "linux/private_namespace.hpp"

#include "linux/process.hpp"

#include <array>
#include <csignal>
#include <cstring>

#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>

namespace nspawn {

namespace {

constexpr size_t kMostMounts = 8;

// An errno and the call's name would need the other process's memory: the errno is enough, the call is what was asked
// for.
struct Message {
    int code = 0;
    size_t mounts = 0;
};

union Control {
    cmsghdr header;
    std::array<char, CMSG_SPACE(sizeof(int) * kMostMounts)> buffer;
};

using Mounts = std::vector<MountFd>;

void send_answer(int socket, const Result<Mounts>& made) {
    Message message{made.error(), made.ok() ? made.value().size() : 0};
    iovec data{&message, sizeof message};
    Control control{};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    std::vector<int> fds;
    for (size_t i = 0; i < message.mounts; ++i) {
        fds.push_back(made.value()[i].get());
    }
    if (!fds.empty()) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
        cmsghdr* const rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
        std::memcpy(CMSG_DATA(rights), fds.data(), sizeof(int) * fds.size());
    }
    (void)sendmsg(socket, &header, MSG_NOSIGNAL); // nothing sent is what the other side takes for a failure
}

Result<Mounts> receive_answer(int socket) {
    Message message;
    iovec data{&message, sizeof message};
    Control control{};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = &control;
    header.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (got < 0) {
        return last_error("recvmsg");
    }
    Mounts mounts;
    if (const cmsghdr* const rights = CMSG_FIRSTHDR(&header); rights != nullptr) {
        for (size_t i = 0; CMSG_LEN(sizeof(int) * (i + 1)) <= rights->cmsg_len; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(rights) + i * sizeof fd, sizeof fd);
            mounts.emplace_back(UniqueFd(fd));
        }
    }
    if (got != sizeof message || (message.code == 0 && mounts.size() != message.mounts)) {
        return SystemError{EPROTO, "recvmsg"};
    }
    if (message.code != 0) {
        return SystemError{message.code, "mounting in a namespace of its own"};
    }
    return mounts;
}

[[noreturn]] void work(int socket, std::span<const MountFd* const> mounts,
                       const std::function<Result<Mounts>()>& make) {
    Result<void> done = check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)");
    if (done.ok()) {
        done = set_mount_attributes(AT_FDCWD, "/", 0, 0, Propagation::private_, Recursive::yes);
    }
    for (const MountFd* const mount : mounts) {
        if (done.ok()) {
            done = mount->attach(AT_FDCWD, "/"); // on top of it, where no path of ours leads
        }
    }
    send_answer(socket, done.ok() ? make() : Result<Mounts>(done.system_error()));
    _exit(0);
}

} // namespace

Result<std::vector<MountFd>> make_where_attached(std::span<const MountFd* const> mounts,
                                                 const std::function<Result<std::vector<MountFd>>()>& make) {
    std::array<int, 2> ends{-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        return last_error("socketpair");
    }
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    Result<Pidfd> process = clone_process({.flags = CLONE_NEWNS});
    if (!process.ok()) {
        return process.system_error();
    }
    if (!process.value().valid()) {
        work(theirs.get(), mounts, make);
    }
    theirs.reset();
    Result<Mounts> made = receive_answer(ours.get());
    const Result<ProcessEnd> end = process.value().wait();
    return end.ok() ? std::move(made) : Result<Mounts>(end.system_error());
}

Result<MountFd> make_where_attached(const MountFd& tree, const std::function<Result<MountFd>()>& make) {
    const MountFd* const one[] = {&tree};
    Result<Mounts> made = make_where_attached(one, [&]() -> Result<Mounts> {
        Result<MountFd> mount = make();
        if (!mount.ok()) {
            return mount.system_error();
        }
        Mounts mounts;
        mounts.push_back(std::move(mount).value());
        return mounts;
    });
    return made.ok() ? Result<MountFd>(std::move(made.value().front())) : made.system_error();
}

} // namespace nspawn
