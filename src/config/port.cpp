#include "config/port.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <climits>
#include <optional>

#include <arpa/inet.h>

namespace nspawn {

namespace {

struct PortRange {
    uint16_t first = 0;
    uint16_t last = 0;

    [[nodiscard]] uint16_t count() const { return static_cast<uint16_t>(last - first + 1); }
};

[[noreturn]] void fail(std::string_view text, std::string_view reason) {
    throw Error(fmt::format("'{}': {}", printable(text.substr(0, 80)), reason)).with_code(EINVAL);
}

uint16_t parse_number(std::string_view text) {
    const auto number = text.size() <= 5 ? parse_unsigned(text) : std::nullopt;
    if (!number || *number == 0 || *number > UINT16_MAX) {
        fail(text, "not a port number (1 to 65535)");
    }
    return static_cast<uint16_t>(*number);
}

PortRange parse_range(std::string_view text) {
    const size_t dash = text.find('-', 1); // one in front is a sign, and no number
    const uint16_t first = parse_number(text.substr(0, dash));
    const uint16_t last = dash == std::string_view::npos ? first : parse_number(text.substr(dash + 1));
    if (last < first) {
        fail(text, "the range ends before it begins");
    }
    return {first, last};
}

std::optional<PortProtocol> parse_protocol(std::string_view text) {
    if (text == "tcp") {
        return PortProtocol::tcp;
    }
    return text == "udp" ? std::optional(PortProtocol::udp) : std::nullopt;
}

std::string canonical_address(std::string_view text, int family) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    std::array<char, INET6_ADDRSTRLEN> written{};
    if (inet_pton(family, std::string(text).c_str(), bytes.data()) != 1 || text.find('\0') != std::string_view::npos) {
        fail(text, family == AF_INET6 ? "not an IPv6 address" : "not an IPv4 address");
    }
    return inet_ntop(family, bytes.data(), written.data(), written.size());
}

// "[::1]:", "10.0.0.1:" or nothing, taken off the front. "0.0.0.0" and "[::]" stay what they are: every address of that
// family.
std::string take_address(std::string_view& text) {
    if (text.starts_with('[')) {
        const size_t end = text.find("]:");
        if (end == std::string_view::npos) {
            fail(text, "no ']:' behind the IPv6 address");
        }
        std::string address = canonical_address(text.substr(1, end - 1), AF_INET6);
        text.remove_prefix(end + 2);
        return address;
    }
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos || text.substr(0, colon).find('.') == std::string_view::npos) {
        return {};
    }
    std::string address = canonical_address(text.substr(0, colon), AF_INET);
    text.remove_prefix(colon + 1);
    return address;
}

// In front as the original has it, or behind.
PortProtocol take_protocol(std::string_view& text) {
    const std::string_view whole = text;
    std::optional<PortProtocol> protocol;
    if (text.starts_with("tcp:") || text.starts_with("udp:")) {
        protocol = parse_protocol(text.substr(0, 3));
        text.remove_prefix(4);
    }
    if (const size_t slash = text.rfind('/'); slash != std::string_view::npos) {
        if (protocol) {
            fail(whole, "the protocol is named twice");
        }
        protocol = parse_protocol(text.substr(slash + 1));
        if (!protocol) {
            fail(text.substr(slash + 1), "not a protocol, only tcp and udp can be published");
        }
        text = text.substr(0, slash);
    }
    return protocol.value_or(PortProtocol::tcp);
}

bool is_any(std::string_view address) { return address == "0.0.0.0" || address == "::"; }

bool share_an_address(const PublishedPort& a, const PublishedPort& b) {
    if (a.address.empty() || b.address.empty()) {
        return true;
    }
    if (is_ipv6(a.address) != is_ipv6(b.address)) {
        return false;
    }
    return a.address == b.address || is_any(a.address) || is_any(b.address);
}

} // namespace

PublishedPort parse_port(std::string_view text) {
    PublishedPort port;
    std::string_view rest = text;
    port.protocol = take_protocol(rest);
    port.address = take_address(rest);
    const size_t colon = rest.find(':');
    const PortRange host = parse_range(rest.substr(0, colon));
    const PortRange container = colon == std::string_view::npos ? host : parse_range(rest.substr(colon + 1));
    if (host.count() != container.count()) {
        fail(text, fmt::format("{} ports of the host cannot be {} of the container", host.count(), container.count()));
    }
    port.host = host.first;
    port.container = container.first;
    port.count = host.count();
    return port;
}

std::string_view to_word(PortProtocol protocol) { return protocol == PortProtocol::tcp ? "tcp" : "udp"; }

bool is_ipv6(std::string_view address) { return address.find(':') != std::string_view::npos; }

bool is_loopback(std::string_view address) { return address == "::1" || address.starts_with("127."); }

std::string format_port(const PublishedPort& port) {
    const auto range = [&](unsigned first) {
        return port.count > 1 ? fmt::format("{}-{}", first, first + port.count - 1) : fmt::format("{}", first);
    };
    std::string address = port.address;
    if (!address.empty()) {
        address = is_ipv6(address) ? "[" + address + "]:" : address + ":";
    }
    return fmt::format("{}:{}{}:{}", to_word(port.protocol), address, range(port.host), range(port.container));
}

bool overlap(const PublishedPort& a, const PublishedPort& b) {
    return a.protocol == b.protocol && share_an_address(a, b) && a.host < b.host + b.count && b.host < a.host + a.count;
}

void check_beside(const PublishedPort& port, std::span<const PublishedPort> others) {
    size_t count = port.count;
    for (const PublishedPort& other : others) {
        count += other.count;
        if (overlap(port, other)) {
            throw Error(other == port ? fmt::format("{} is published already", format_port(port))
                                      : fmt::format("the port is published already, by {}", format_port(other)))
                .with_code(EEXIST);
        }
    }
    if (count > kMostPublishedPorts) {
        throw Error(
            fmt::format("that would be {} ports, and no more than {} can be published", count, kMostPublishedPorts))
            .with_code(E2BIG);
    }
}

} // namespace nspawn
