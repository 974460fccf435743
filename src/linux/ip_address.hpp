// ip_address.hpp — IPv4 and IPv6 addresses and networks, and how they are written.
//
// Pure. Never resolves a name. Source of the grammar: inet_pton(3), RFC 4291.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nspawn {

struct IpAddress {
    int family = 0;                   // AF_INET, AF_INET6; 0: none
    std::array<uint8_t, 16> octets{}; // in network order; of IPv4 the first four

    [[nodiscard]] size_t size() const; // in octets
    [[nodiscard]] unsigned bits() const { return static_cast<unsigned>(size()) * 8; }
    bool operator==(const IpAddress&) const = default;
    auto operator<=>(const IpAddress&) const = default;
};
std::optional<IpAddress> parse_ip_address(std::string_view text);
std::string format_ip_address(const IpAddress& address);

// An address in its network, or the network itself.
struct IpPrefix {
    IpAddress address;
    unsigned length = 0; // in bits

    bool operator==(const IpPrefix&) const = default;
};
// ADDRESS/LENGTH; without the length a single address.
std::optional<IpPrefix> parse_ip_prefix(std::string_view text);
std::string format_ip_prefix(const IpPrefix& prefix);
// With all bits after the prefix zero.
IpPrefix network_of(const IpPrefix& prefix);
bool contains(const IpPrefix& network, const IpAddress& address);
// Of one link only, and in no route: 169.254.0.0/16 and fe80::/10.
bool is_link_local(const IpAddress& address);
// Why no interface can have it as its own, as the end of a sentence: "is a multicast address"; empty: it can. Of IPv4
// the first and the last address of a network are nobody's either. Source: RFC 1122 3.2.1.3, RFC 4291 2.
std::string_view problem_of_address(const IpAddress& address);
std::string_view problem_of_interface_address(const IpPrefix& address);

// Six octets, as interfaces of Ethernet's kind have them.
using MacAddress = std::array<uint8_t, 6>;
// "02:00:5e:00:53:01", also with "-" between the octets.
std::optional<MacAddress> parse_mac_address(std::string_view text);
std::string format_mac_address(const MacAddress& address);

} // namespace nspawn
