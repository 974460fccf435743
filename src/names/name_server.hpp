// name_server.hpp — the name server of one managed network, on the gateway's addresses.
//
// Owns its sockets, bound to addresses and to the link, so that nobody beside the network's members can ask, however
// packets are routed. Answers what name_desk.hpp knows and passes the rest on, by UDP and by TCP. Everything that comes
// in is hostile: all tables are bounded, and confine() leaves nothing to gain. One thread; never ends by itself.
#pragma once

#include "base/result.hpp"
#include "names/tcp_exchange.hpp"
#include "names/udp_relay.hpp"

#include <vector>

namespace nspawn {

class NameServer {
public:
    // EADDRINUSE: another server of the host has the port.
    static Result<void> bind(const NameDeskOptions& options, uint16_t port, std::vector<UniqueFd>& udp,
                             std::vector<UniqueFd>& tcp);

    NameServer(const NameDeskOptions& options, std::vector<UniqueFd> udp, std::vector<UniqueFd> tcp);
    NameServer(const NameServer&) = delete;
    NameServer& operator=(const NameServer&) = delete;

    // Waits once, no longer than `patience` milliseconds (negative: without limit), and serves what came.
    void serve_once(int patience);

private:
    using Clock = NameDesk::Clock;

    void receive_queries(int listener, Clock::time_point now);
    void accept_clients(int listener, Clock::time_point now);
    void handle_exchanges(std::span<const pollfd> waited, Clock::time_point now);
    [[nodiscard]] int patience_until_deadline(int patience, Clock::time_point now) const;

    NameDesk desk_;
    std::vector<UniqueFd> udp_;
    std::vector<UniqueFd> tcp_;
    UdpRelay relay_;
    std::vector<TcpExchange> exchanges_;
    std::vector<pollfd> waiting_;
};

// The process gives up what it does not need to serve names: user, groups, capabilities, memory without end.
Result<void> confine_name_server();

} // namespace nspawn
