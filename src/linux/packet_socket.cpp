#include "linux/packet_socket.hpp"

#include <array>
#include <cstring>
#include <utility>

#include <sys/socket.h>

namespace nspawn {

namespace {

union ControlBuffer {
    cmsghdr header;
    std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

void attach(msghdr& packet, ControlBuffer& control, int fd) {
    packet.msg_control = control.bytes.data();
    packet.msg_controllen = control.bytes.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&packet);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
}

UniqueFd detach(msghdr& packet) {
    const cmsghdr* const header = CMSG_FIRSTHDR(&packet);
    int fd = -1;
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof fd)) {
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    }
    return UniqueFd(fd);
}

} // namespace

Result<std::pair<PacketSocket, PacketSocket>> PacketSocket::create() {
    std::array<int, 2> ends{-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        return last_error("socketpair");
    }
    return std::pair(PacketSocket(UniqueFd(ends[0])), PacketSocket(UniqueFd(ends[1])));
}

Result<void> PacketSocket::send(std::string_view text, int fd, bool dont_wait) const {
    if (text.size() > kLongest) {
        return SystemError{EMSGSIZE, "sendmsg"};
    }
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    ControlBuffer control{};
    if (fd >= 0) {
        attach(packet, control, fd);
    }
    ssize_t sent = 0;
    do {
        sent = sendmsg(fd_.get(), &packet, MSG_NOSIGNAL | (dont_wait ? MSG_DONTWAIT : 0));
    } while (sent < 0 && errno == EINTR);
    return check(sent, "sendmsg");
}

Result<std::optional<PacketSocket::Packet>> PacketSocket::receive(bool dont_wait) const {
    const int flags = dont_wait ? MSG_DONTWAIT : 0;
    // Its size first: a buffer for the longest would be memory that somebody who waits for months keeps.
    ssize_t size = 0;
    bool reset = false;
    do {
        size = recv(fd_.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC | flags);
        // Told once, and first, of an end that has not heard all of us; what it has said itself is there still.
    } while (size < 0 && (errno == EINTR || (errno == ECONNRESET && !std::exchange(reset, true))));
    if (size < 0) {
        return last_error("recv");
    }
    if (static_cast<size_t>(size) > kLongest) {
        return SystemError{EMSGSIZE, "recv"};
    }
    Packet received;
    received.text.resize(static_cast<size_t>(size));
    iovec part{received.text.data(), received.text.size()};
    ControlBuffer control{};
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    packet.msg_control = control.bytes.data();
    packet.msg_controllen = control.bytes.size();
    const ssize_t got = recvmsg(fd_.get(), &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0) {
        return last_error("recvmsg");
    }
    received.fd = detach(packet);
    if (got == 0 && !received.fd) {
        return std::optional<Packet>();
    }
    return std::optional<Packet>(std::move(received));
}

} // namespace nspawn
