#include "linux/ip_address.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace nspawn {

size_t IpAddress::size() const { return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0; }

std::optional<IpAddress> parse_ip_address(std::string_view text) {
    if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    const std::string copy(text);
    IpAddress address;
    for (const int family : {AF_INET, AF_INET6}) {
        if (inet_pton(family, copy.c_str(), address.octets.data()) == 1) {
            address.family = family;
            return address;
        }
    }
    return std::nullopt;
}

std::string format_ip_address(const IpAddress& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (inet_ntop(address.family, address.octets.data(), text.data(), text.size()) == nullptr) {
        return "none";
    }
    return text.data();
}

std::optional<IpPrefix> parse_ip_prefix(std::string_view text) {
    const size_t slash = text.find('/');
    const auto address = parse_ip_address(text.substr(0, slash));
    if (!address) {
        return std::nullopt;
    }
    if (slash == std::string_view::npos) {
        return IpPrefix{*address, address->bits()};
    }
    const auto length = parse_unsigned(text.substr(slash + 1));
    if (!length || *length > address->bits()) {
        return std::nullopt;
    }
    return IpPrefix{*address, static_cast<unsigned>(*length)};
}

std::string format_ip_prefix(const IpPrefix& prefix) {
    return fmt::format("{}/{}", format_ip_address(prefix.address), prefix.length);
}

IpPrefix network_of(const IpPrefix& prefix) {
    IpPrefix network = prefix;
    for (unsigned bit = prefix.length; bit < prefix.address.bits(); ++bit) {
        uint8_t& octet = network.address.octets[bit / 8];
        octet = static_cast<uint8_t>(octet & ~(0x80U >> (bit % 8)));
    }
    return network;
}

bool contains(const IpPrefix& network, const IpAddress& address) {
    return network.address.family == address.family &&
           network_of({address, network.length}).address == network_of(network).address;
}

bool is_link_local(const IpAddress& address) {
    return address.family == AF_INET ? address.octets[0] == 169 && address.octets[1] == 254
                                     : address.octets[0] == 0xfe && (address.octets[1] & 0xc0) == 0x80;
}

std::string_view problem_of_address(const IpAddress& address) {
    const bool ipv4 = address.family == AF_INET;
    const uint8_t first = address.octets[0];
    constexpr uint8_t kLoopback = 127;
    constexpr uint8_t kMulticast = 224;
    constexpr uint8_t kReserved = 240;
    if (ipv4 ? first >= kMulticast && first < kReserved : first == 0xff) {
        return "is a multicast address";
    }
    if (ipv4 && first >= kReserved) {
        return "is a reserved address";
    }
    if (ipv4 ? first == 0 : address.octets == std::array<uint8_t, 16>{}) {
        return "is no address of a host";
    }
    if (ipv4 ? first == kLoopback : address == *parse_ip_address("::1")) {
        return "is a loopback address";
    }
    return {};
}

std::string_view problem_of_interface_address(const IpPrefix& address) {
    constexpr unsigned kLongestNetwork = 30; // a /31 has two addresses and no other, RFC 3021
    if (address.address.family == AF_INET && address.length <= kLongestNetwork) {
        IpPrefix last = network_of(address);
        for (unsigned bit = last.length; bit < last.address.bits(); ++bit) {
            uint8_t& octet = last.address.octets[bit / 8];
            octet = static_cast<uint8_t>(octet | 0x80U >> (bit % 8));
        }
        if (address == network_of(address)) {
            return "is the network itself, and no address in it";
        }
        if (address == last) {
            return "is the broadcast address of its network";
        }
    }
    return problem_of_address(address.address);
}

std::optional<MacAddress> parse_mac_address(std::string_view text) {
    MacAddress address{};
    constexpr size_t kTextSize = 17;
    if (text.size() != kTextSize) {
        return std::nullopt;
    }
    const char separator = text[2];
    if (separator != ':' && separator != '-') {
        return std::nullopt;
    }
    for (size_t octet = 0; octet < address.size(); ++octet) {
        const auto value = parse_unsigned(text.substr(octet * 3, 2), 16);
        if (!value || (octet > 0 && text[octet * 3 - 1] != separator)) {
            return std::nullopt;
        }
        address[octet] = static_cast<uint8_t>(*value);
    }
    return address;
}

std::string format_mac_address(const MacAddress& address) { return fmt::format("{:02x}", fmt::join(address, ":")); }

} // namespace nspawn
