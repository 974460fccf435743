#include "linux/netlink.hpp"

#include "linux/process.hpp"

#include <array>
#include <cstring>
#include <new>
#include <vector>

#include <fcntl.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kAnswerSize = 8192; // one link with all that can be said about it
constexpr size_t kDumpSize = 32768;  // the kernel fills what it is given, and no more than this

} // namespace

NetlinkMessage::NetlinkMessage(uint16_t type, unsigned flags, const void* header, size_t size)
    : message_(nlmsg_alloc_simple(type, static_cast<int>(flags | NLM_F_REQUEST | NLM_F_ACK))) {
    if (message_ == nullptr) {
        throw std::bad_alloc();
    }
    std::array<uint8_t, 64> copy{}; // libnl takes no const
    fits_ = size <= copy.size();
    if (fits_) {
        std::memcpy(copy.data(), header, size);
        fits_ = nlmsg_append(message_.get(), copy.data(), size, NLMSG_ALIGNTO) == 0;
    }
}

void NetlinkMessage::Free::operator()(nl_msg* message) const { nlmsg_free(message); }

nlmsghdr* NetlinkMessage::header() const { return nlmsg_hdr(message_.get()); }

void NetlinkMessage::add_bytes(int attribute, const void* data, size_t size) {
    fits_ = nla_put(message_.get(), attribute, static_cast<int>(size), data) == 0 && fits_;
}

void NetlinkMessage::add_text(int attribute, std::string_view text) {
    const std::string copy(text);
    add_bytes(attribute, copy.c_str(), copy.size() + 1);
}

NetlinkMessage::Nest::Nest(NetlinkMessage& message, int attribute)
    : message_(message), start_(nla_nest_start(message.message_.get(), attribute)) {
    message_.fits_ = start_ != nullptr && message_.fits_;
}

NetlinkMessage::Nest::~Nest() {
    if (start_ != nullptr) {
        nla_nest_end(message_.message_.get(), start_);
    }
}

void NetlinkMessage::Nest::add_header(const void* data, size_t size) {
    std::vector<uint8_t> copy(static_cast<const uint8_t*>(data), static_cast<const uint8_t*>(data) + size);
    message_.fits_ =
        nlmsg_append(message_.message_.get(), copy.data(), copy.size(), NLMSG_ALIGNTO) == 0 && message_.fits_;
}

NetlinkAttributes::NetlinkAttributes(const nlmsghdr& message, size_t header_size)
    : head_(nlmsg_attrdata(&message, static_cast<int>(header_size))),
      length_(nlmsg_attrlen(&message, static_cast<int>(header_size))) {}

NetlinkAttributes::NetlinkAttributes(const nlattr* nest) {
    if (nest != nullptr) {
        head_ = static_cast<const nlattr*>(nla_data(nest));
        length_ = nla_len(nest);
    }
}

const nlattr* NetlinkAttributes::find(int attribute) const {
    return head_ == nullptr ? nullptr : nla_find(head_, length_, attribute);
}

std::span<const uint8_t> NetlinkAttributes::bytes(int attribute) const {
    const nlattr* const found = find(attribute);
    return found == nullptr
               ? std::span<const uint8_t>{}
               : std::span(static_cast<const uint8_t*>(nla_data(found)), static_cast<size_t>(nla_len(found)));
}

std::string_view attribute_text(const nlattr& attribute) {
    const auto* const data = static_cast<const char*>(nla_data(&attribute));
    return {data, strnlen(data, static_cast<size_t>(nla_len(&attribute)))};
}

std::string_view NetlinkAttributes::text(int attribute) const {
    const nlattr* const found = find(attribute);
    return found == nullptr ? std::string_view{} : attribute_text(*found);
}

NetlinkAttributes NetlinkAttributes::nested(int attribute) const { return NetlinkAttributes(find(attribute)); }

void NetlinkAttributes::each(const std::function<void(const nlattr&)>& visit) const {
    int left = length_;
    for (const nlattr* each = head_; each != nullptr && nla_ok(each, left) != 0; each = nla_next(each, &left)) {
        visit(*each);
    }
}

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
    nlmsghdr* const header = message.header();
    header->nlmsg_seq = ++sequence_;
    header->nlmsg_flags = static_cast<uint16_t>(header->nlmsg_flags | more_flags);
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    for (;;) {
        const ssize_t sent = sendto(fd_.get(), header, header->nlmsg_len, MSG_NOSIGNAL,
                                    reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
        if (sent >= 0 || errno != EINTR) {
            return check(sent, "sendto(AF_NETLINK)");
        }
    }
}

// The attributes of an acknowledgement follow the request that it repeats, wholly or its header only.
void NetlinkSocket::keep_explanation(const nlmsghdr& answer) {
    const auto* const error = static_cast<const nlmsgerr*>(nlmsg_data(&answer));
    const size_t repeated = (answer.nlmsg_flags & NLM_F_CAPPED) != 0 ? sizeof(nlmsghdr) : error->msg.nlmsg_len;
    const size_t header_size = sizeof(nlmsgerr) - sizeof(nlmsghdr) + NLMSG_ALIGN(repeated);
    if ((answer.nlmsg_flags & NLM_F_ACK_TLVS) != 0 && NLMSG_LENGTH(header_size) < answer.nlmsg_len) {
        explanation_ = NetlinkAttributes(answer, header_size).text(NLMSGERR_ATTR_MSG);
    }
}

Result<void> NetlinkSocket::receive(const Visitor& visit, size_t buffer_size) {
    std::vector<uint8_t> buffer(buffer_size);
    bool interrupted = false;
    for (;;) {
        const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return size < 0 ? last_error("recv(AF_NETLINK)") : SystemError{EPIPE, "recv(AF_NETLINK)"};
        }
        auto left = static_cast<int>(size);
        for (auto* each = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(each, left) != 0;
             each = nlmsg_next(each, &left)) {
            if (each->nlmsg_seq != sequence_) {
                continue; // of a request that was given up
            }
            interrupted |= (each->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
            if (each->nlmsg_type == NLMSG_DONE) {
                return interrupted ? Result<void>(SystemError{EINTR, "netlink"}) : Result<void>();
            }
            if (each->nlmsg_type == NLMSG_ERROR) {
                const int code = -static_cast<const nlmsgerr*>(nlmsg_data(each))->error;
                if (code == 0) {
                    return {};
                }
                keep_explanation(*each);
                return SystemError{code, "netlink"};
            }
            visit(*each);
        }
    }
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
