#include "run/notify_socket.hpp"

#include "base/file.hpp"
#include "base/text.hpp"

#include <array>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace nspawn {

namespace {

constexpr std::string_view kStatus = "STATUS=";
// Somebody else's messages are skipped, but not without end: a container that floods the socket must not keep the
// supervisor from its other work. What is left makes the socket readable again.
constexpr int kMaxSkipped = 32;

// What came beside the bytes: who sent them. Descriptors are closed.
pid_t read_control(msghdr& message) {
    pid_t sender = 0;
    for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
        if (control->cmsg_level != SOL_SOCKET) {
            continue;
        }
        if (control->cmsg_type == SCM_CREDENTIALS && control->cmsg_len == CMSG_LEN(sizeof(ucred))) {
            ucred credentials{};
            std::memcpy(&credentials, CMSG_DATA(control), sizeof credentials);
            sender = credentials.pid;
        } else if (control->cmsg_type == SCM_RIGHTS) {
            for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= control->cmsg_len; at += sizeof(int)) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(control) + at, sizeof fd);
                ::close(fd);
            }
        }
    }
    return sender;
}

} // namespace

Result<UniqueFd> make_notify_socket() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return last_error("socket");
    }
    const int on = 1;
    if (setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) {
        return last_error("SO_PASSCRED");
    }
    return socket;
}

Result<void> bind_notify_socket(int socket, const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path); // a short constant
    // The mode of the socket object is what bind(2) gives the new file, so it is right from its first moment on.
    if (fchmod(socket, 0200) < 0) {
        return last_error("fchmod");
    }
    return check(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
}

Notification parse_notification(std::string_view message) {
    Notification notification;
    for (const std::string_view line : split(message, '\n')) {
        if (line == "READY=1") {
            notification.ready = true;
        } else if (line.starts_with(kStatus)) {
            notification.status = line.substr(kStatus.size());
        }
    }
    return notification;
}

Result<std::optional<Notification>> receive_notification(int socket, pid_t leader) {
    for (int skipped = 0; skipped < kMaxSkipped; ++skipped) {
        std::array<char, kMaxNotification> text; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recvmsg
        iovec vector{text.data(), text.size()};
        // The kernel writes the credentials first and discards descriptors that find no room.
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(8 * sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t size = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno == EAGAIN) {
                break;
            }
            return last_error("recvmsg");
        }
        const pid_t sender = read_control(message);
        if (sender == leader && leader > 0 && (message.msg_flags & MSG_TRUNC) == 0) {
            return std::optional(parse_notification({text.data(), static_cast<size_t>(size)}));
        }
    }
    return std::optional<Notification>();
}

} // namespace nspawn
