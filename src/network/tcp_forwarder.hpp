// tcp_forwarder.hpp — connections to a port of the host's loopback, carried on to the container.
//
// Owns the listening sockets and both ends of each connection. The bytes go from socket to socket through a pipe
// (splice(2)) and are never looked at; nothing is read before what was read is gone, so a slow reader slows its writer
// and memory is the kernel's alone. An end that stops writing is passed on as such (shutdown(2)), an error as a reset.
// No more than a fixed number of connections; more are reset. One epoll descriptor stands for all of it.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "network/reach.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <sys/socket.h>

namespace nspawn {

class TcpForwarder {
public:
    static constexpr size_t kMostConnections = 1024;

    // `connections`: no more than this at a time.
    TcpForwarder(Reach& reach, size_t connections = kMostConnections);
    TcpForwarder(const TcpForwarder&) = delete;
    TcpForwarder& operator=(const TcpForwarder&) = delete;
    ~TcpForwarder();

    // Carries what comes to the listening socket on to `port`.
    void add(UniqueFd listener, bool ipv6, uint16_t port);
    [[nodiscard]] int fd() const { return epoll_.get(); }
    // What is ready now.
    void dispatch();
    [[nodiscard]] size_t connections() const { return used_; }

private:
    struct Listener {
        UniqueFd socket;
        bool ipv6 = false;
        uint16_t port = 0;
    };
    struct Connection;

    void watch(int fd, uint64_t tag, uint32_t events, uint32_t& before) const;
    void accept_from(const Listener& listener);
    void start(UniqueFd client, const Listener& listener);
    bool connect_next(Connection& connection);
    // False: it is over.
    bool advance(Connection& connection, size_t side, uint32_t events);
    void update_events(Connection& connection) const;
    void drop(size_t slot, bool reset);

    Reach& reach_;
    UniqueFd epoll_;
    std::vector<Listener> listeners_;
    std::vector<std::unique_ptr<Connection>> slots_;
    std::vector<size_t> free_;
    uint32_t generation_ = 0;
    size_t used_ = 0;
};

} // namespace nspawn
