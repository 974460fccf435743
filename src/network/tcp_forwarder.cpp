#include "network/tcp_forwarder.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

namespace nspawn {

namespace {

constexpr size_t kClient = 0;
constexpr size_t kServer = 1;
constexpr size_t kChunk = size_t{64} * 1024;
constexpr int kTurns = 16;           // of one direction before others get their turn
constexpr size_t kMostAccepts = 512; // of one dispatch
constexpr uint64_t kListenerTag = ~uint64_t{0} << 32;

// Bytes in one direction, from sockets[i] to sockets[1 - i].
struct Flow {
    UniqueFd reading; // of the pipe
    UniqueFd writing;
    size_t bytes = 0;   // in the pipe
    bool ended = false; // the writer will write no more
    bool told = false;  // … and the reader knows
};

enum class Pumped { later, failed };

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

// Moves what can be moved now.
Pumped pump(Flow& flow, int from, int to) {
    for (int turn = 0; turn < kTurns; ++turn) {
        if (flow.bytes == 0 && !flow.ended) {
            const ssize_t got =
                splice(from, nullptr, flow.writing.get(), nullptr, kChunk, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
            if (got < 0) {
                return would_block() || errno == EINTR ? Pumped::later : Pumped::failed;
            }
            flow.bytes = static_cast<size_t>(got);
            flow.ended = got == 0;
        }
        if (flow.bytes > 0) {
            const ssize_t put =
                splice(flow.reading.get(), nullptr, to, nullptr, flow.bytes, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
            if (put < 0) {
                return would_block() || errno == EINTR ? Pumped::later : Pumped::failed;
            }
            flow.bytes -= static_cast<size_t>(put);
        }
        if (flow.bytes == 0 && flow.ended) {
            if (!flow.told) {
                flow.told = true;
                (void)shutdown(to, SHUT_WR);
            }
            return Pumped::later;
        }
    }
    return Pumped::later;
}

bool make_pipe(Flow& flow) {
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) < 0) {
        return false;
    }
    flow.reading.reset(ends[0]);
    flow.writing.reset(ends[1]);
    return true;
}

// The peer hears that it was cut off, not that all is said.
void reset_on_close(int socket) {
    const linger now{1, 0};
    (void)setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void prepare(int socket) {
    const int on = 1;
    (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on,
                     sizeof on); // whoever wrote it has decided what belongs together
    (void)setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

} // namespace

struct TcpForwarder::Connection {
    std::array<UniqueFd, 2> sockets; // kClient, kServer
    std::array<Flow, 2> flows;       // flows[i]: out of sockets[i]
    std::array<uint32_t, 2> events{};
    bool connecting = true;
    bool prefer_ipv6 = false;
    uint16_t port = 0;
    size_t way = 0;
    size_t slot = 0;
    uint32_t generation = 0;

    [[nodiscard]] uint64_t tag(size_t side) const { return uint64_t{generation} << 32 | slot << 1 | side; }
};

TcpForwarder::TcpForwarder(Reach& reach, size_t connections) : reach_(reach), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    check(epoll_.get(), "epoll_create1").or_throw("forwarding connections");
    slots_.resize(connections);
    for (size_t slot = connections; slot > 0; --slot) {
        free_.push_back(slot - 1);
    }
}

TcpForwarder::~TcpForwarder() = default;

// Where nothing is waited for the socket is taken out: the kernel reports its end over and over otherwise.
void TcpForwarder::watch(int fd, uint64_t tag, uint32_t events, uint32_t& before) const {
    if (events == before) {
        return;
    }
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    const int operation = before == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    (void)epoll_ctl(epoll_.get(), operation, fd, &event);
    before = events;
}

void TcpForwarder::add(UniqueFd listener, bool ipv6, uint16_t port) {
    uint32_t before = 0;
    watch(listener.get(), kListenerTag | listeners_.size(), EPOLLIN, before);
    listeners_.push_back({std::move(listener), ipv6, port});
}

void TcpForwarder::dispatch() {
    std::array<epoll_event, 64> ready; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by epoll_wait
    const int count = epoll_wait(epoll_.get(), ready.data(), ready.size(), 0);
    for (int i = 0; i < count; ++i) {
        const uint64_t tag = ready[static_cast<size_t>(i)].data.u64;
        if ((tag & kListenerTag) == kListenerTag) {
            accept_from(listeners_[tag & ~kListenerTag]);
            continue;
        }
        const size_t slot = (tag & UINT32_MAX) >> 1;
        Connection* const connection = slots_[slot].get();
        if (connection == nullptr || connection->generation != tag >> 32) {
            continue; // ended while this event waited
        }
        if (!advance(*connection, tag & 1, ready[static_cast<size_t>(i)].events)) {
            continue;
        }
        update_events(*connection);
    }
}

void TcpForwarder::accept_from(const Listener& listener) {
    for (size_t i = 0; i < kMostAccepts; ++i) {
        UniqueFd client(accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!client) {
            return;
        }
        start(std::move(client), listener);
    }
}

void TcpForwarder::start(UniqueFd client, const Listener& listener) {
    auto connection = std::make_unique<Connection>();
    connection->prefer_ipv6 = listener.ipv6;
    connection->port = listener.port;
    prepare(client.get());
    if (free_.empty() || !make_pipe(connection->flows[kClient]) || !make_pipe(connection->flows[kServer]) ||
        !connect_next(*connection)) {
        reset_on_close(client.get());
        return;
    }
    connection->sockets[kClient] = std::move(client);
    connection->slot = free_.back();
    free_.pop_back();
    generation_ = (generation_ + 1) & (UINT32_MAX >> 1); // never a listener's tag
    connection->generation = generation_;
    ++used_;
    Connection& placed = *connection;
    slots_[placed.slot] = std::move(connection);
    update_events(placed);
}

// The next way to the container that is not refused at once.
bool TcpForwarder::connect_next(Connection& connection) {
    connection.sockets[kServer].reset();
    connection.events[kServer] = 0; // the kernel has forgotten the old one
    while (connection.way < reach_.ways()) {
        Result<UniqueFd> server = reach_.open(SOCK_STREAM, connection.way++, connection.prefer_ipv6, connection.port);
        if (server.ok()) {
            connection.sockets[kServer] = std::move(server).value();
            prepare(connection.sockets[kServer].get());
            return true;
        }
    }
    return false;
}

bool TcpForwarder::advance(Connection& connection, size_t side, uint32_t events) {
    const int client = connection.sockets[kClient].get();
    if (connection.connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        if (side != kServer || (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) {
            return true;
        }
        (void)getsockopt(connection.sockets[kServer].get(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            if (connect_next(connection)) {
                return true;
            }
            drop(connection.slot, true);
            return false;
        }
        connection.connecting = false;
    }
    const int server = connection.sockets[kServer].get();
    if (pump(connection.flows[kClient], client, server) == Pumped::failed ||
        pump(connection.flows[kServer], server, client) == Pumped::failed) {
        drop(connection.slot, true);
        return false;
    }
    if (connection.flows[kClient].told && connection.flows[kServer].told) {
        drop(connection.slot, false);
        return false;
    }
    return true;
}

void TcpForwarder::update_events(Connection& connection) const {
    for (size_t side : {kClient, kServer}) {
        const Flow& out = connection.flows[side];
        const Flow& in = connection.flows[1 - side];
        uint32_t events = 0;
        if (connection.connecting) {
            events = side == kServer ? EPOLLOUT : 0U;
        } else {
            events = (out.bytes == 0 && !out.ended ? EPOLLIN : 0U) | (in.bytes > 0 ? EPOLLOUT : 0U);
        }
        watch(connection.sockets[side].get(), connection.tag(side), events, connection.events[side]);
    }
}

void TcpForwarder::drop(size_t slot, bool reset) {
    if (reset) {
        for (const UniqueFd& socket : slots_[slot]->sockets) {
            if (socket) {
                reset_on_close(socket.get());
            }
        }
    }
    slots_[slot].reset();
    free_.push_back(slot);
    --used_;
}

} // namespace nspawn
