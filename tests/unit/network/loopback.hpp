// loopback.hpp — sockets on 127.0.0.1 for tests, without root and without waiting for longer than needed. Test helper
// only.
#pragma once

#include "base/unique_fd.hpp"
#include "network/reach.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace nspawn {

inline sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// Bound to a free port; of a stream it listens.
inline UniqueFd bound_socket(int type) {
    UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_in address = loopback(0);
    EXPECT_EQ(bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_TRUE(type != SOCK_STREAM || listen(socket.get(), 16) == 0);
    return socket;
}

inline uint16_t port_of(const UniqueFd& socket) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    EXPECT_EQ(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
}

inline UniqueFd connected_socket(int type, uint16_t port) {
    UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    EXPECT_EQ(connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return socket;
}

// A container that is this machine.
inline Reach reach_loopback() {
    Reach reach(-1);
    ContainerAddresses addresses;
    addresses.ipv4.emplace().s_addr = htonl(INADDR_LOOPBACK);
    addresses.ipv4_on_veth = true;
    reach.set_addresses(addresses);
    return reach;
}

inline bool is_readable(int fd, int patience = 0) {
    pollfd waiting{fd, POLLIN, 0};
    return poll(&waiting, 1, patience) == 1;
}

} // namespace nspawn
