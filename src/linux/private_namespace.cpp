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

// An errno and the call's name would need the other process's memory: the errno is enough, the call is what was asked
// for.
struct Message {
    int code = 0;
};

union Control {
    cmsghdr header;
    std::array<char, CMSG_SPACE(sizeof(int))> buffer;
};

void send_answer(int socket, const Result<MountFd>& mount) {
    Message message{mount.error()};
    iovec data{&message, sizeof message};
    Control control{};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    if (mount.ok()) {
        header.msg_control = &control;
        header.msg_controllen = sizeof control;
        cmsghdr* const rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        const int fd = mount.value().get();
        std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    (void)sendmsg(socket, &header, MSG_NOSIGNAL); // nothing sent is what the other side takes for a failure
}

Result<MountFd> receive_answer(int socket) {
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
    const cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    if (got != sizeof message || (message.code == 0 && rights == nullptr)) {
        return SystemError{EPROTO, "recvmsg"};
    }
    if (message.code != 0) {
        return SystemError{message.code, "mounting in a namespace of its own"};
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
    return MountFd(UniqueFd(fd));
}

[[noreturn]] void work(int socket, const MountFd& tree, const std::function<Result<MountFd>()>& make) {
    Result<void> done = check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)");
    if (done.ok()) {
        done = set_mount_attributes(AT_FDCWD, "/", 0, 0, Propagation::private_, Recursive::yes);
    }
    if (done.ok()) {
        done = tree.attach(AT_FDCWD, "/"); // on top of it, where no path of ours leads
    }
    send_answer(socket, done.ok() ? make() : Result<MountFd>(done.system_error()));
    _exit(0);
}

} // namespace

Result<MountFd> make_where_attached(const MountFd& tree, const std::function<Result<MountFd>()>& make) {
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
        work(theirs.get(), tree, make);
    }
    theirs.reset();
    Result<MountFd> mount = receive_answer(ours.get());
    const Result<ProcessEnd> end = process.value().wait();
    return end.ok() ? std::move(mount) : Result<MountFd>(end.system_error());
}

} // namespace nspawn
