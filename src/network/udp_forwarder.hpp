// udp_forwarder.hpp — datagrams to a port of the host's loopback, carried on to the container, and the answers back.
//
// Owns the receiving sockets and, for each client that is talking, one connected socket to the container. A client that
// was silent for a minute is forgotten, and the one that was silent longest when there are too many. The bytes are
// never looked at. One epoll descriptor stands for all of it.
#pragma once

#include "base/unique_fd.hpp"
#include "network/reach.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/socket.h>

namespace nspawn {

class UdpForwarder {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr size_t kMostClients = 512;
    static constexpr std::chrono::seconds kSilence{60};

    explicit UdpForwarder(Reach& reach, size_t clients = kMostClients);

    // Carries what comes to the bound socket on to `port`.
    void add(UniqueFd receiver, bool ipv6, uint16_t port);
    [[nodiscard]] int fd() const { return epoll_.get(); }
    // What is ready now.
    void dispatch(Clock::time_point now);
    // Forgets who has been silent for too long.
    void expire(Clock::time_point now);
    // The container has another address: whoever goes on talking is carried there.
    void forget_all();
    [[nodiscard]] size_t clients() const { return clients_.size(); }

private:
    struct Receiver {
        UniqueFd socket;
        bool ipv6 = false;
        uint16_t port = 0;
    };
    struct Client {
        UniqueFd socket; // connected to the container
        sockaddr_storage address{};
        socklen_t address_size = 0;
        size_t receiver = 0;
        Clock::time_point heard;
    };
    using Key = std::string; // which receiver, and the client's address
    using Clients = std::map<Key, Client>;

    bool watch(int fd, uint64_t tag) const;
    void receive(size_t receiver, Clock::time_point now);
    Client* find_or_make(size_t receiver, const sockaddr_storage& from, socklen_t size, Clock::time_point now);
    void answer(Client& client, Clock::time_point now);
    void make_room(Clock::time_point now);
    void forget(Clients::iterator client);

    Reach& reach_;
    size_t most_;
    UniqueFd epoll_;
    std::vector<Receiver> receivers_;
    Clients clients_;
    std::map<uint64_t, Clients::iterator> by_tag_;
    uint64_t next_tag_ = 0;
    std::unique_ptr<std::array<char, 65536>> buffer_;
};

} // namespace nspawn
