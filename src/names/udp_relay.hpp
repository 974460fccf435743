// udp_relay.hpp — questions that came by UDP and were passed on, until they are answered.
//
// Owns one connected socket with a port of the kernel's choice for each, so that only the server that was asked can
// answer, and an unguessable id (RFC 5452). A full table, or a client with too many questions open, is answered
// "server failed": one member of a network cannot keep the others from asking.
#pragma once

#include "base/unique_fd.hpp"
#include "names/name_desk.hpp"

#include <functional>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

namespace nspawn {

struct Peer {
    sockaddr_storage address{};
    socklen_t size = sizeof(sockaddr_storage);
    int listener = -1; // the socket that it has written to

    [[nodiscard]] bool same_host(const Peer& other) const;
};

class UdpRelay {
public:
    using Reply = std::function<void(const Peer&, Bytes)>;
    using Clock = NameDesk::Clock;

    UdpRelay(NameDesk& desk, Reply reply) : desk_(desk), reply_(std::move(reply)) {}

    void ask(Bytes message, const DnsQuery& query, const Peer& client, Clock::time_point now);
    // Appends what it waits for; handle() wants to see the same stretch after poll(2).
    void watch(std::vector<pollfd>& waiting);
    void handle(std::span<const pollfd> waited, Clock::time_point now);
    // No value: nothing to wait for.
    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;

private:
    struct Question {
        std::vector<uint8_t> message; // with our id
        uint16_t id = 0;              // the client's
        uint16_t our_id = 0;
        size_t question_end = 0;
        Peer client;
        UniqueFd server;
        size_t tries = 0;
        Clock::time_point deadline;
    };

    bool try_next_server(Question& question, Clock::time_point now);
    bool receive(Question& question); // true: answered
    void give_up(Question& question);

    NameDesk& desk_;
    Reply reply_;
    std::vector<Question> questions_;
};

// The server's address as the system wants it.
Peer peer_of(const Resolver& resolver, uint16_t port);

} // namespace nspawn
