#include "run/handshake.hpp"

#include <algorithm>
#include <cstring>

#include <sys/socket.h>

namespace nspawn {

namespace {

struct Header {
    MessageKind kind;
    int32_t code;
    uint32_t text_size;
    uint32_t hint_size;
};

union ControlBuffer {
    cmsghdr header;
    std::array<char, CMSG_SPACE(sizeof(int) * Handshake::kMaxFds)> bytes;
};

void collect_fds(msghdr& packet, std::vector<UniqueFd>& fds) {
    for (cmsghdr* control = CMSG_FIRSTHDR(&packet); control != nullptr; control = CMSG_NXTHDR(&packet, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof fd);
            fds.emplace_back(fd);
        }
    }
}

} // namespace

Result<std::pair<Handshake, Handshake>> Handshake::create() {
    std::array<int, 2> ends{-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        return last_error("socketpair");
    }
    return std::pair(Handshake(UniqueFd(ends[0])), Handshake(UniqueFd(ends[1])));
}

Result<void> Handshake::send(MessageKind kind, int code, std::string_view text, std::string_view hint,
                             std::span<const int> fds) const {
    text = text.substr(0, kMaxText);
    hint = hint.substr(0, kMaxText);
    Header header{kind, code, static_cast<uint32_t>(text.size()), static_cast<uint32_t>(hint.size())};
    std::array<iovec, 3> parts{{{&header, sizeof header},
                                {const_cast<char*>(text.data()), text.size()},
                                {const_cast<char*>(hint.data()), hint.size()}}};
    msghdr packet{};
    packet.msg_iov = parts.data();
    packet.msg_iovlen = parts.size();
    ControlBuffer control{};
    fds = fds.first(std::min(fds.size(), kMaxFds));
    if (!fds.empty()) {
        packet.msg_control = &control;
        packet.msg_controllen = CMSG_SPACE(fds.size_bytes());
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(&control.header), fds.data(), fds.size_bytes());
    }
    return check(sendmsg(fd_.get(), &packet, MSG_NOSIGNAL), "sendmsg");
}

Result<std::optional<Message>> Handshake::receive(bool dont_wait) const {
    Header header{};
    std::array<char, 2 * kMaxText> body; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recvmsg
    std::array<iovec, 2> parts{{{&header, sizeof header}, {body.data(), body.size()}}};
    ControlBuffer control{};
    msghdr packet{};
    packet.msg_iov = parts.data();
    packet.msg_iovlen = parts.size();
    packet.msg_control = &control;
    packet.msg_controllen = sizeof control;
    ssize_t got = -1;
    do {
        got = recvmsg(fd_.get(), &packet, MSG_CMSG_CLOEXEC | (dont_wait ? MSG_DONTWAIT : 0));
        // ECONNRESET comes once, before what is queued, when the other end closes without having read our "go".
    } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got < 0) {
        return last_error("recvmsg");
    }
    if (got == 0) {
        return std::optional<Message>();
    }
    Message message;
    collect_fds(packet, message.fds);
    const auto size = static_cast<size_t>(got);
    if (size < sizeof header || header.text_size > kMaxText || header.hint_size > kMaxText ||
        size != sizeof header + header.text_size + header.hint_size) {
        return SystemError{EPROTO, "recvmsg"};
    }
    message.kind = header.kind;
    message.code = header.code;
    message.text.assign(body.data(), header.text_size);
    message.hint.assign(body.data() + header.text_size, header.hint_size);
    return std::optional<Message>(std::move(message));
}

} // namespace nspawn
