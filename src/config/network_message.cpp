#include "config/network_message.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "config/network.hpp"

#include <fmt/format.h>

namespace nspawn {

namespace {

constexpr std::string_view kKindWords[] = {"ask", "begin", "namespace", "ready", "failed", "notice", "warning"};
constexpr size_t kLongestAsk = 8192; // of what a packet can hold
constexpr std::string_view kMachine = "machine";
constexpr std::string_view kPort = "port";
constexpr std::string_view kAgain = "again";
constexpr std::string_view kLink = "managed-link";
constexpr std::string_view kContainerLink = "managed-container-link";
constexpr std::string_view kGateway = "managed-gateway";
constexpr std::string_view kAddress = "managed-address";
constexpr std::string_view kWays = "managed-ways"; // "dhcp", "borrowed"
constexpr size_t kMostAddresses = 16;

void add_lines_of(const ManagedNetwork& network, std::vector<std::string>& lines) {
    lines.push_back(fmt::format("{} {}\n", kLink, network.link));
    lines.push_back(fmt::format("{} {}\n", kContainerLink, network.container_link));
    for (const IpPrefix& gateway : network.gateways) {
        lines.push_back(fmt::format("{} {}\n", kGateway, format_ip_prefix(gateway)));
    }
    for (const IpPrefix& address : network.addresses) {
        lines.push_back(fmt::format("{} {}\n", kAddress, format_ip_prefix(address)));
    }
    lines.push_back(fmt::format("{} {} {}\n", kWays, network.dhcp ? "dhcp" : "", network.borrowed ? "borrowed" : ""));
}

bool add_prefix(std::vector<IpPrefix>& prefixes, std::string_view text) {
    const auto prefix = parse_ip_prefix(text);
    if (!prefix || prefixes.size() == kMostAddresses) {
        return false;
    }
    prefixes.push_back(*prefix);
    return true;
}

bool add_managed_line(ManagedNetwork& network, std::string_view keyword, std::string_view line) {
    if (keyword == kLink || keyword == kContainerLink) {
        (keyword == kLink ? network.link : network.container_link) = line;
        return is_link_name(line);
    }
    if (keyword == kGateway || keyword == kAddress) {
        return add_prefix(keyword == kGateway ? network.gateways : network.addresses, line);
    }
    network.dhcp = line.find("dhcp") != std::string_view::npos;
    network.borrowed = line.find("borrowed") != std::string_view::npos;
    return keyword == kWays;
}

std::vector<std::string> lines_of(const NetworkRequest& request) {
    std::vector<std::string> lines = {fmt::format("{} {}\n", kMachine, request.machine)};
    for (const PublishedPort& port : request.ports) {
        lines.push_back(fmt::format("{} {}\n", kPort, format_port(port)));
    }
    if (!request.managed.link.empty()) {
        add_lines_of(request.managed, lines);
    }
    if (request.again) {
        lines.push_back(fmt::format("{} yes\n", kAgain));
    }
    return lines;
}

bool add_line(NetworkRequest& request, std::string_view line) {
    const std::string_view keyword = take_until(line, ' ');
    if (keyword == kMachine) {
        request.machine = line;
    } else if (keyword == kAgain) {
        request.again = true;
    } else if (keyword == kPort && request.ports.size() < kMostPublishedPorts) {
        request.ports.push_back(parse_port(line));
    } else {
        return add_managed_line(request.managed, keyword, line);
    }
    return true;
}

} // namespace

std::string as_packet(NetworkMessageKind kind, std::string_view text) {
    return fmt::format("{}\n{}", kKindWords[static_cast<size_t>(kind)], text);
}

std::optional<NetworkMessage> parse_packet(std::string_view packet) {
    if (packet.find('\n') == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view word = take_until(packet, '\n');
    for (size_t kind = 0; kind < std::size(kKindWords); ++kind) {
        if (word == kKindWords[kind]) {
            return NetworkMessage{static_cast<NetworkMessageKind>(kind), std::string(packet)};
        }
    }
    return std::nullopt;
}

void for_each_packet(const NetworkRequest& request, const std::function<void(const std::string& packet)>& send) {
    std::string text;
    for (const std::string& line : lines_of(request)) {
        if (!text.empty() && text.size() + line.size() > kLongestAsk) {
            send(as_packet(NetworkMessageKind::ask, text));
            text.clear();
        }
        text += line;
    }
    send(as_packet(NetworkMessageKind::ask, text));
    send(as_packet(NetworkMessageKind::begin));
}

bool add_to_request(NetworkRequest& request, std::string_view text) {
    try {
        while (!text.empty()) {
            if (!add_line(request, take_until(text, '\n'))) {
                return false;
            }
        }
    } catch (const Error&) {
        return false;
    }
    return true;
}

} // namespace nspawn
