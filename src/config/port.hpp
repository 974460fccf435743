// port.hpp — what --port= asks for, and the grammar it is asked in.
//
// Pure: addresses are text in their canonical form, nothing is looked up. What is wrong is thrown as an Error with the
// reason alone; the caller knows whose value it was. Source of the grammar: systemd-nspawn(1) "--port=" and, for
// addresses, ranges and "/proto", what users of other container tools write.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace nspawn {

enum class PortProtocol { tcp, udp };

// A range of ports of the host, and that of the container behind it, port by port.
struct PublishedPort {
    PortProtocol protocol = PortProtocol::tcp;
    std::string address; // of the host, in canonical form without brackets; empty: every one
    uint16_t host = 0;   // the first one; never 0
    uint16_t container = 0;
    uint16_t count = 1;

    bool operator==(const PublishedPort&) const = default;
};

// How many ports one container may publish. Each one is an element of a kernel table and, for the host itself, sockets.
constexpr size_t kMostPublishedPorts = 4096;

// [tcp:|udp:]HOST[:CONT], or [ADDR:]HOST[-LAST][:CONT[-LAST]][/tcp|/udp]; an IPv6 ADDR in brackets.
PublishedPort parse_port(std::string_view text);
// The value that is parsed into the same again.
std::string format_port(const PublishedPort& port);

std::string_view to_word(PortProtocol protocol);
bool is_ipv6(std::string_view address);
// 127.0.0.0/8 and ::1.
bool is_loopback(std::string_view address);

// Both want the same port of the same address.
bool overlap(const PublishedPort& a, const PublishedPort& b);
// Throws Error when `port` cannot stand beside `others`; its code is EEXIST for one that is published already.
void check_beside(const PublishedPort& port, std::span<const PublishedPort> others);

} // namespace nspawn
