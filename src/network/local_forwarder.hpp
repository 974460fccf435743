// local_forwarder.hpp — published ports on the host's own loopback addresses.
//
// The packet filter cannot send what goes to 127.0.0.1 or ::1 into a container: the answer would have to come back from
// an address that is no neighbour. So these two are listened on, and bytes are carried (tcp_forwarder.hpp,
// udp_forwarder.hpp). A port that a program of the host has is left to it. Source: ip(7), ipv6(7).
#pragma once

#include "config/port.hpp"
#include "linux/event_loop.hpp"
#include "network/tcp_forwarder.hpp"
#include "network/udp_forwarder.hpp"

#include <span>
#include <string>
#include <vector>

namespace nspawn {

class LocalForwarder {
public:
    LocalForwarder(EventLoop& loop, Reach& reach);
    LocalForwarder(const LocalForwarder&) = delete;
    LocalForwarder& operator=(const LocalForwarder&) = delete;
    ~LocalForwarder();

    // Opens the sockets. The ports that could not be had, each with the reason: "127.0.0.1:8080/tcp: Address already in
    // use".
    std::vector<std::string> listen(std::span<const PublishedPort> ports);
    // From now on connections are taken.
    void start();
    void addresses_changed() { datagrams_.forget_all(); }

private:
    Result<void> listen(const PublishedPort& port, const std::string& address, uint16_t offset);
    void expire_later();

    EventLoop& loop_;
    TcpForwarder connections_;
    UdpForwarder datagrams_;
    EventLoop::TimerId timer_;
};

} // namespace nspawn
