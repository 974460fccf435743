// tcp_exchange.hpp — one client that asks by TCP: its questions, one after the other, with length prefixes.
//
// Owns the connection, and another one to the host's name server while a question is passed on. Waits for one of the
// two at a time; has to be done with each step before its deadline. Source: RFC 1035 section 4.2.2, RFC 7766.
#pragma once

#include "names/udp_relay.hpp"

namespace nspawn {

class TcpExchange {
public:
    using Clock = NameDesk::Clock;

    TcpExchange(UniqueFd client, const Peer& peer, Clock::time_point now);

    [[nodiscard]] const Peer& peer() const { return peer_; }
    [[nodiscard]] Clock::time_point deadline() const { return deadline_; }
    [[nodiscard]] pollfd waits_for() const;
    // What it waited for is ready. False: it is over.
    bool proceed(NameDesk& desk, Clock::time_point now);

private:
    enum class State { read_query, send_query, read_reply, send_reply };

    // A message behind its two bytes of length, partly read or written.
    struct Frame {
        std::vector<uint8_t> bytes;
        size_t done = 0;
    };
    enum class Progress { more, complete, over };

    static Progress read_frame(int fd, Frame& frame);
    static Progress write_frame(int fd, Frame& frame);

    bool on_query(NameDesk& desk, Clock::time_point now);
    void answer_with(Bytes message, Clock::time_point now);
    void connect_to_next_server(NameDesk& desk, Clock::time_point now);
    void enter(State state, Clock::time_point now);

    UniqueFd client_;
    Peer peer_;
    UniqueFd server_;
    State state_ = State::read_query;
    Frame frame_;
    std::vector<uint8_t> query_; // with its length, as it came
    size_t tries_ = 0;
    Clock::time_point deadline_;
};

} // namespace nspawn
