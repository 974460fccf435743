#include "linux/netlink.hpp"

#include "linux/process.hpp"

#include <array>
#include <memory>

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kAnswerSize = 8192; // one link with all that can be said about it
constexpr size_t kDumpSize = 32768;  // the kernel fills what it is given, and no more than this

} // namespace

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
    UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
    if (!fd) {
        return last_error("socket(AF_NETLINK)");
    }
    // Both may be missing on kernels before 4.12 and 4.20; then there are fewer words, and no filter of what is dumped.
    const int on = 1;
    (void)setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    return NetlinkSocket(std::move(fd));
}

namespace {

struct ForeignSocket {
    int network_namespace;
    int protocol;
    Result<int> fd;
};

// Runs in a process of its own that shares our memory and descriptors, while we wait. No exceptions, no allocation.
int open_foreign_socket(void* argument) {
    auto& wanted = *static_cast<ForeignSocket*>(argument);
    if (setns(wanted.network_namespace, CLONE_NEWNET) < 0) {
        wanted.fd = last_error("setns");
        return 0;
    }
    Result<NetlinkSocket> opened = NetlinkSocket::open(wanted.protocol);
    if (!opened.ok()) {
        wanted.fd = opened.system_error();
        return 0;
    }
    const int copy = fcntl(opened.value().fd(), F_DUPFD_CLOEXEC, 0); // the original goes with its owner here
    wanted.fd = copy >= 0 ? Result<int>(copy) : last_error("fcntl(F_DUPFD_CLOEXEC)");
    return 0;
}

} // namespace

Result<NetlinkSocket> NetlinkSocket::open_in(int network_namespace, int protocol) {
    constexpr size_t kStackSize = 64 * 1024;
    const auto stack = std::make_unique<std::array<uint8_t, kStackSize>>();
    ForeignSocket wanted{network_namespace, protocol, SystemError{ECHILD, "clone"}};
    // No exit signal: to the supervisor it would look like a child of the container's.
    const int pid =
        clone(open_foreign_socket, stack->data() + kStackSize, CLONE_VM | CLONE_VFORK | CLONE_FILES, &wanted);
    if (pid < 0) {
        return last_error("clone");
    }
    while (waitpid(pid, nullptr, __WCLONE) < 0 && errno == EINTR) {
    }
    if (!wanted.fd.ok()) {
        return wanted.fd.system_error();
    }
    return NetlinkSocket(UniqueFd(wanted.fd.value()));
}

Result<void> NetlinkSocket::send(const NetlinkMessage& message, unsigned more_flags) {
    explanation_.clear();
    if (!message.fits()) {
        return SystemError{EMSGSIZE, "netlink"};
    }
    nlmsghdr header = message.header();
    header.nlmsg_seq = ++sequence_;
    header.nlmsg_flags = static_cast<uint16_t>(header.nlmsg_flags | more_flags);
    const std::span<const uint8_t> payload = message_payload(message.header());
    std::array<iovec, 2> parts = {iovec{&header, sizeof header},
                                  iovec{const_cast<uint8_t*>(payload.data()), payload.size()}}; // it is only read
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    msghdr whole{};
    whole.msg_name = &kernel;
    whole.msg_namelen = sizeof kernel;
    whole.msg_iov = parts.data();
    whole.msg_iovlen = parts.size();
    for (;;) {
        const ssize_t sent = sendmsg(fd_.get(), &whole, MSG_NOSIGNAL);
        if (sent >= 0 || errno != EINTR) {
            return check(sent, "sendmsg(AF_NETLINK)");
        }
    }
}

// The attributes of an acknowledgement follow the request that it repeats, wholly or its header only.
void NetlinkSocket::keep_explanation(const nlmsghdr& answer) {
    const auto* const error = family_header<nlmsgerr>(answer);
    if (error == nullptr || (answer.nlmsg_flags & NLM_F_ACK_TLVS) == 0) {
        return;
    }
    const size_t repeated = (answer.nlmsg_flags & NLM_F_CAPPED) != 0 ? sizeof(nlmsghdr) : error->msg.nlmsg_len;
    explanation_ = NetlinkAttributes(answer, sizeof(nlmsgerr) - sizeof(nlmsghdr) + repeated).text(NLMSGERR_ATTR_MSG);
}

Result<void> NetlinkSocket::receive(const Visitor& visit, size_t buffer_size) {
    const std::unique_ptr<uint8_t[]> buffer(new uint8_t[buffer_size]); // not touched before the kernel does
    bool interrupted = false;
    for (;;) {
        sockaddr_nl sender{};
        socklen_t sender_size = sizeof sender;
        const ssize_t size =
            recvfrom(fd_.get(), buffer.get(), buffer_size, 0, reinterpret_cast<sockaddr*>(&sender), &sender_size);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return size < 0 ? last_error("recvfrom(AF_NETLINK)") : SystemError{EPIPE, "recvfrom(AF_NETLINK)"};
        }
        if (sender.nl_pid != 0) {
            continue; // not the kernel's: who rules the container's network may write to us, too
        }
        std::span<const uint8_t> left(buffer.get(), static_cast<size_t>(size));
        while (const nlmsghdr* const each = take_message(left)) {
            if (each->nlmsg_seq != sequence_) {
                continue; // of a request that was given up
            }
            interrupted |= (each->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
            if (each->nlmsg_type == NLMSG_DONE) {
                return interrupted ? Result<void>(SystemError{EINTR, "netlink"}) : Result<void>();
            }
            if (each->nlmsg_type == NLMSG_ERROR) {
                return outcome_of(*each);
            }
            visit(*each);
        }
    }
}

// An acknowledgement is an error without a number.
Result<void> NetlinkSocket::outcome_of(const nlmsghdr& answer) {
    const auto* const error = family_header<nlmsgerr>(answer);
    if (error == nullptr) {
        return SystemError{EBADMSG, "netlink"};
    }
    if (error->error == 0) {
        return {};
    }
    keep_explanation(answer);
    return SystemError{-error->error, "netlink"};
}

Result<void> NetlinkSocket::request(const NetlinkMessage& message) {
    return request(message, [](const nlmsghdr&) {});
}

Result<void> NetlinkSocket::request(const NetlinkMessage& message, const Visitor& visit) {
    const Result<void> sent = send(message, 0);
    return sent.ok() ? receive(visit, kAnswerSize) : sent;
}

Result<void> NetlinkSocket::dump(const NetlinkMessage& message, const Visitor& visit,
                                 const std::function<void()>& restart) {
    constexpr int kAttempts = 10;
    Result<void> done;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        restart();
        done = send(message, NLM_F_DUMP);
        if (done.ok()) {
            done = receive(visit, kDumpSize);
        }
        if (done.error() != EINTR) {
            return done;
        }
    }
    return done;
}

std::string NetlinkSocket::reason(int code) const {
    std::string text(error_text(code));
    return explanation_.empty() ? text : text + " (" + explanation_ + ")";
}

} // namespace nspawn
