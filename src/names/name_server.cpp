#include "names/name_server.hpp"

#include <algorithm>

#include <grp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kMostExchanges = 48;
constexpr size_t kMostExchangesOfOneClient = 8;
constexpr int kDatagramsAtOnce = 64;
constexpr size_t kLargestDatagram = 4096;
constexpr uid_t kNobody = 65534;
constexpr rlim_t kMostDescriptors = 512;
constexpr rlim_t kMostMemory = rlim_t{256} << 20;

Result<UniqueFd> bound_socket(const NameDeskOptions& options, const IpAddress& address, int type, uint16_t port) {
    const Peer own = peer_of({address}, port);
    UniqueFd fd(socket(own.address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    if (!fd) {
        return last_error("socket");
    }
    if (!options.link.empty() && setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, options.link.c_str(),
                                            static_cast<socklen_t>(options.link.size())) < 0) {
        return last_error("setsockopt(SO_BINDTODEVICE)");
    }
    // A TCP server that has just ended leaves connections behind for a while.
    if (type == SOCK_STREAM && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) {
        return last_error("setsockopt(SO_REUSEADDR)");
    }
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own.address), own.size) < 0) {
        return last_error("bind");
    }
    if (type == SOCK_STREAM && listen(fd.get(), kMostExchanges) < 0) {
        return last_error("listen");
    }
    return fd;
}

// A full buffer means a client that does not read: what it loses it has to ask again.
void send_to(const Peer& peer, Bytes message) {
    (void)sendto(peer.listener, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&peer.address), peer.size);
}

} // namespace

Result<void> NameServer::bind(const NameDeskOptions& options, uint16_t port, std::vector<UniqueFd>& udp,
                              std::vector<UniqueFd>& tcp) {
    for (const IpPrefix& gateway : options.gateways) {
        Result<UniqueFd> datagrams = bound_socket(options, gateway.address, SOCK_DGRAM, port);
        Result<UniqueFd> streams = bound_socket(options, gateway.address, SOCK_STREAM, port);
        if (!datagrams.ok() || !streams.ok()) {
            return datagrams.ok() ? streams.system_error() : datagrams.system_error();
        }
        udp.push_back(std::move(datagrams).value());
        tcp.push_back(std::move(streams).value());
    }
    return {};
}

NameServer::NameServer(const NameDeskOptions& options, std::vector<UniqueFd> udp, std::vector<UniqueFd> tcp)
    : desk_(options), udp_(std::move(udp)), tcp_(std::move(tcp)), relay_(desk_, send_to) {}

void NameServer::receive_queries(int listener, Clock::time_point now) {
    std::array<uint8_t, kLargestDatagram> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recvfrom
    for (int count = 0; count < kDatagramsAtOnce; ++count) {
        Peer client;
        client.listener = listener;
        const ssize_t got = recvfrom(listener, buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC,
                                     reinterpret_cast<sockaddr*>(&client.address), &client.size);
        if (got < 0) {
            return;
        }
        if (static_cast<size_t>(got) > buffer.size()) {
            continue;
        }
        const Bytes message = Bytes(buffer).first(static_cast<size_t>(got));
        const std::optional<DnsQuery> query = parse_dns_query(message);
        const auto answer = desk_.answer(message, query, now);
        if (!answer) {
            relay_.ask(message, *query, client, now);
        } else if (!answer->empty()) {
            send_to(client, *answer);
        }
    }
}

void NameServer::accept_clients(int listener, Clock::time_point now) {
    for (;;) {
        Peer client;
        client.listener = listener;
        UniqueFd fd(accept4(listener, reinterpret_cast<sockaddr*>(&client.address), &client.size,
                            SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) {
            return;
        }
        const auto of_client = std::count_if(exchanges_.begin(), exchanges_.end(), [&](const TcpExchange& exchange) {
            return exchange.peer().same_host(client);
        });
        if (exchanges_.size() < kMostExchanges && static_cast<size_t>(of_client) < kMostExchangesOfOneClient) {
            exchanges_.emplace_back(std::move(fd), client, now);
        }
    }
}

void NameServer::handle_exchanges(std::span<const pollfd> waited, Clock::time_point now) {
    size_t index = 0;
    std::erase_if(exchanges_, [&](TcpExchange& exchange) {
        const size_t own = index++;
        const bool ready = own < waited.size() && waited[own].revents != 0;
        return ready ? !exchange.proceed(desk_, now) : exchange.deadline() <= now;
    });
}

int NameServer::patience_until_deadline(int patience, Clock::time_point now) const {
    std::optional<Clock::time_point> next = relay_.next_deadline();
    for (const TcpExchange& exchange : exchanges_) {
        next = next ? std::min(*next, exchange.deadline()) : exchange.deadline();
    }
    if (!next) {
        return patience;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now).count();
    const int bounded = static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
    return patience < 0 ? bounded : std::min(patience, bounded);
}

void NameServer::serve_once(int patience) {
    waiting_.clear();
    for (const auto* listeners : {&udp_, &tcp_}) {
        for (const UniqueFd& listener : *listeners) {
            waiting_.push_back({listener.get(), POLLIN, 0});
        }
    }
    const size_t relay_begin = waiting_.size();
    relay_.watch(waiting_);
    const size_t exchanges_begin = waiting_.size();
    for (const TcpExchange& exchange : exchanges_) {
        waiting_.push_back(exchange.waits_for());
    }
    if (poll(waiting_.data(), waiting_.size(), patience_until_deadline(patience, Clock::now())) < 0) {
        return;
    }
    const Clock::time_point now = Clock::now();
    const std::span<const pollfd> waited(waiting_);
    // What was asked before comes before new questions, which change the tables.
    handle_exchanges(waited.subspan(exchanges_begin), now);
    relay_.handle(waited.subspan(relay_begin, exchanges_begin - relay_begin), now);
    for (size_t i = 0; i < relay_begin; ++i) {
        if (waited[i].revents != 0) {
            i < udp_.size() ? receive_queries(waited[i].fd, now) : accept_clients(waited[i].fd, now);
        }
    }
}

Result<void> confine_name_server() {
    const rlimit descriptors{kMostDescriptors, kMostDescriptors};
    const rlimit memory{kMostMemory, kMostMemory};
    const rlimit none{0, 0};
    if (setrlimit(RLIMIT_NOFILE, &descriptors) < 0 || setrlimit(RLIMIT_AS, &memory) < 0 ||
        setrlimit(RLIMIT_CORE, &none) < 0) {
        return last_error("setrlimit");
    }
    if (setgroups(0, nullptr) < 0 || setresgid(kNobody, kNobody, kNobody) < 0 ||
        setresuid(kNobody, kNobody, kNobody) < 0) { // and with it all capabilities
        return last_error("setresuid");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
        return last_error("prctl");
    }
    return {};
}

} // namespace nspawn
