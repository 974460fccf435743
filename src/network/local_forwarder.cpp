#include "network/local_forwarder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <arpa/inet.h>
#include <sys/resource.h>

namespace nspawn {

namespace {

constexpr rlim_t kWanted = 32768; // descriptors: two for a port, six for a connection
constexpr rlim_t kPerConnection = 6;
constexpr rlim_t kOthers = 1024;
constexpr int kBacklog = 128;

rlim_t raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    limit.rlim_cur = std::min(limit.rlim_max, kWanted);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

size_t affordable_connections() {
    const rlim_t limit = raise_descriptor_limit();
    const rlim_t rest = limit > 2 * kOthers ? limit - kOthers : limit / 2;
    return std::min<size_t>(TcpForwarder::kMostConnections, rest / kPerConnection);
}

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

SocketAddress socket_address(const std::string& address, uint16_t port) {
    SocketAddress result;
    if (is_ipv6(address)) {
        auto* const in6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        inet_pton(AF_INET6, address.c_str(), &in6->sin6_addr);
        result.size = sizeof *in6;
    } else {
        auto* const in = reinterpret_cast<sockaddr_in*>(&result.storage);
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        inet_pton(AF_INET, address.c_str(), &in->sin_addr);
        result.size = sizeof *in;
    }
    return result;
}

Result<UniqueFd> open_listener(const std::string& address, PortProtocol protocol, uint16_t port) {
    const SocketAddress where = socket_address(address, port);
    const bool tcp = protocol == PortProtocol::tcp;
    UniqueFd socket(
        ::socket(where.storage.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    if (!socket) {
        return last_error("socket");
    }
    if (tcp) { // connections of the container before this one may still linger
        (void)setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&where.storage), where.size) < 0) {
        return last_error("bind");
    }
    if (tcp && ::listen(socket.get(), kBacklog) < 0) {
        return last_error("listen");
    }
    return socket;
}

// Where a port is listened on: nowhere when it is for another address of the host.
std::vector<std::string> loopback_addresses(const PublishedPort& port) {
    if (port.address.empty()) {
        return {"127.0.0.1", "::1"};
    }
    if (port.address == "0.0.0.0") {
        return {"127.0.0.1"};
    }
    if (port.address == "::") {
        return {"::1"};
    }
    return is_loopback(port.address) ? std::vector{port.address} : std::vector<std::string>{};
}

} // namespace

LocalForwarder::LocalForwarder(EventLoop& loop, Reach& reach)
    : loop_(loop), connections_(reach, affordable_connections()), datagrams_(reach) {}

LocalForwarder::~LocalForwarder() {
    loop_.forget(connections_.fd());
    loop_.forget(datagrams_.fd());
    loop_.cancel_timer(timer_);
}

Result<void> LocalForwarder::listen(const PublishedPort& port, const std::string& address, uint16_t offset) {
    Result<UniqueFd> socket = open_listener(address, port.protocol, static_cast<uint16_t>(port.host + offset));
    if (!socket.ok()) {
        return socket.system_error();
    }
    const auto inside = static_cast<uint16_t>(port.container + offset);
    if (port.protocol == PortProtocol::tcp) {
        connections_.add(std::move(socket).value(), is_ipv6(address), inside);
    } else {
        datagrams_.add(std::move(socket).value(), is_ipv6(address), inside);
    }
    return {};
}

std::vector<std::string> LocalForwarder::listen(std::span<const PublishedPort> ports) {
    std::vector<std::string> problems;
    for (const PublishedPort& port : ports) {
        for (const std::string& address : loopback_addresses(port)) {
            for (uint16_t offset = 0; offset < port.count; ++offset) {
                const Result<void> done = listen(port, address, offset);
                // A host without IPv6 has no ::1, and nobody there asks for it.
                const bool no_family =
                    is_ipv6(address) && (done.error() == EADDRNOTAVAIL || done.error() == EAFNOSUPPORT);
                if (!done.ok() && !no_family) {
                    problems.push_back(fmt::format(fmt::runtime(is_ipv6(address) ? "[{}]:{}/{}: {}" : "{}:{}/{}: {}"),
                                                   address, port.host + offset, to_word(port.protocol),
                                                   error_text(done.error())));
                }
            }
        }
    }
    return problems;
}

void LocalForwarder::start() {
    loop_.watch(connections_.fd(), EPOLLIN, [this](uint32_t) { connections_.dispatch(); }).or_throw("forwarding");
    loop_.watch(datagrams_.fd(), EPOLLIN, [this](uint32_t) { datagrams_.dispatch(UdpForwarder::Clock::now()); })
        .or_throw("forwarding");
    expire_later();
}

void LocalForwarder::expire_later() {
    Result<EventLoop::TimerId> timer = loop_.start_timer(UdpForwarder::kSilence, [this] {
        datagrams_.expire(UdpForwarder::Clock::now());
        expire_later();
    });
    if (timer.ok()) {
        timer_ = timer.value();
    }
}

} // namespace nspawn
