#include "config/network.hpp"

#include "base/error.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "config/machine_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include <net/if.h>

namespace nspawn {

namespace {

constexpr size_t kLongestName = IFNAMSIZ - 1;
constexpr size_t kLongestAlternativeName = 127; // ALTIFNAMSIZ
constexpr std::string_view kZonePrefix = "vz-";

bool is_name(std::string_view text, size_t longest) {
    const bool bad_character = std::any_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 127 || c == '/' || c == ':' ||
               c == '%';
    });
    const bool number = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    // "all" and "default" would be read as every interface's in /proc/sys/net.
    return !text.empty() && text.size() <= longest && !bad_character && !number && text != "." && text != ".." &&
           text != "all" && text != "default";
}

std::string name_in_container(std::string_view text) {
    if (!is_link_name(text)) {
        throw Error(fmt::format("'{}' is not a name for an interface (1 to {} characters, none of / : % or blank)",
                                printable(text), kLongestName));
    }
    return std::string(text);
}

// An interface that exists may be called by an alternative name too.
std::string name_on_host(std::string_view text) {
    if (!is_alternative_link_name(text)) {
        throw Error(fmt::format("'{}' is not the name of an interface (1 to {} characters, none of / : % or blank)",
                                printable(text), kLongestAlternativeName));
    }
    return std::string(text);
}

} // namespace

bool is_link_name(std::string_view text) { return is_name(text, kLongestName); }
bool is_alternative_link_name(std::string_view text) { return is_name(text, kLongestAlternativeName); }

bool NetworkSettings::has_links() const {
    return veth || !bridge.empty() || !zone.empty() || !extra.empty() || !interfaces.empty() || !macvlan.empty() ||
           !ipvlan.empty() || !links.empty();
}

std::vector<HostPair> parse_host_pairs(std::string_view text) {
    std::vector<HostPair> pairs;
    for (std::string_view word : split_any(text, " \t\n\r")) {
        const bool has_name = word.find(':') != std::string_view::npos;
        HostPair pair;
        pair.host = name_on_host(take_until(word, ':'));
        if (has_name) {
            pair.container = name_in_container(word);
        }
        pairs.push_back(std::move(pair));
    }
    if (pairs.empty()) {
        throw Error("the name of an interface is missing");
    }
    return pairs;
}

HostPair parse_veth_pair(std::string_view text) {
    const bool has_name = text.find(':') != std::string_view::npos;
    HostPair pair;
    pair.host = name_in_container(take_until(text, ':'));
    pair.container = has_name ? name_in_container(text) : pair.host;
    return pair;
}

std::string format_host_pair(const HostPair& pair) {
    return pair.container.empty() ? pair.host : fmt::format("{}:{}", pair.host, pair.container);
}

std::string parse_bridge(std::string_view text) { return name_on_host(text); }

std::string parse_zone(std::string_view text) {
    const std::string bridge = std::string(kZonePrefix).append(text);
    if (text.empty() || !is_link_name(bridge)) {
        throw Error(fmt::format("'{}' is not the name of a zone: its bridge would be called '{}', which is not a name "
                                "for an interface",
                                printable(text), printable(bridge)));
    }
    return std::string(text);
}

std::string parse_namespace_path(std::string_view text, const std::string& directory) {
    if (text.empty() || text.find('\0') != std::string_view::npos || text.size() >= PATH_MAX) {
        throw Error("not the path of a network namespace");
    }
    const std::string path(text);
    if (is_absolute(path)) {
        return simplified(path);
    }
    const bool name = path.find('/') == std::string::npos && path != "." && path != "..";
    return simplified(join(name ? "/run/netns" : directory, path));
}

namespace {

struct TypeWord {
    std::string_view word;
    NetworkKind kind;
    bool has_parent;
};
constexpr TypeWord kTypes[] = {
    {"veth", NetworkKind::veth, false},    {"bridge", NetworkKind::bridge, true},
    {"zone", NetworkKind::zone, true},     {"macvlan", NetworkKind::macvlan, true},
    {"ipvlan", NetworkKind::ipvlan, true}, {"interface", NetworkKind::interface, true},
};

bool is_pair(NetworkKind kind) {
    return kind == NetworkKind::veth || kind == NetworkKind::bridge || kind == NetworkKind::zone;
}

MacAddress parse_mac(std::string_view text) {
    const auto mac = parse_mac_address(text);
    constexpr unsigned kMulticast = 1;
    if (!mac || ((*mac)[0] & kMulticast) != 0 || *mac == MacAddress{}) {
        throw Error(fmt::format("'{}' is not the MAC address of one interface", printable(text)));
    }
    return *mac;
}

IpPrefix parse_address(std::string_view text) {
    const auto prefix = text.find('/') == std::string_view::npos ? std::nullopt : parse_ip_prefix(text);
    if (!prefix || prefix->length == 0) {
        throw Error(fmt::format("'{}' is not ADDRESS/LENGTH", printable(text)));
    }
    if (const std::string_view problem = problem_of_interface_address(*prefix); !problem.empty()) {
        throw Error(fmt::format("{} {}", format_ip_prefix(*prefix), problem));
    }
    return *prefix;
}

IpAddress parse_gateway(std::string_view text) {
    const auto address = parse_ip_address(text);
    if (!address) {
        throw Error(fmt::format("'{}' is not an IP address", printable(text)));
    }
    if (const std::string_view problem = problem_of_address(*address); !problem.empty()) {
        throw Error(fmt::format("gateway={} {}", format_ip_address(*address), problem));
    }
    return *address;
}

void refuse_key(std::string_view key, std::string_view reason) { throw Error(fmt::format("{}= {}", key, reason)); }

void set_key(NetworkLink& link, std::string_view key, std::string_view value) {
    if (key == "name") {
        link.name = name_in_container(value);
    } else if (key == "host-name") {
        if (!is_pair(link.kind)) {
            refuse_key(key, "is for veth, bridge and zone: only these have an end on the host");
        }
        link.host_name = name_in_container(value);
    } else if (key == "host-mac") {
        if (!is_pair(link.kind)) {
            refuse_key(key, "is for veth, bridge and zone: only these have an end on the host");
        }
        link.host_mac = parse_mac(value);
    } else if (key == "mac") {
        if (link.kind == NetworkKind::ipvlan) {
            refuse_key(key, "is not for ipvlan, whose interfaces have the address of the one that they lie on");
        }
        link.mac = parse_mac(value);
    } else if (key == "address") {
        const IpPrefix address = parse_address(value);
        const auto same = [&](const IpPrefix& other) { return other.address == address.address; };
        if (std::any_of(link.addresses.begin(), link.addresses.end(), same)) {
            throw Error(fmt::format("address={} is given twice", format_ip_prefix(address)));
        }
        link.addresses.push_back(address);
    } else if (key == "gateway") {
        link.gateways.push_back(parse_gateway(value));
    } else {
        throw Error(
            fmt::format("'{}' is none of name=, host-name=, mac=, host-mac=, address= and gateway=", printable(key)));
    }
}

void check_gateways(const NetworkLink& link) {
    for (const IpAddress& gateway : link.gateways) {
        const auto same_family = [&](const auto& other) { return other.address.family == gateway.family; };
        const auto twice = [&](const IpAddress& other) { return other.family == gateway.family; };
        if (std::none_of(link.addresses.begin(), link.addresses.end(), same_family)) {
            throw Error(fmt::format("gateway={} needs an address= of the same family", format_ip_address(gateway)));
        }
        if (std::count_if(link.gateways.begin(), link.gateways.end(), twice) > 1) {
            throw Error("more than one gateway= of one family");
        }
    }
}

NetworkLink parse_link(const TypeWord& type, std::string_view parent, std::string_view keys) {
    NetworkLink link;
    link.kind = type.kind;
    link.parent = type.kind == NetworkKind::zone ? parse_zone(parent) : type.has_parent ? name_on_host(parent) : "";
    while (!keys.empty()) {
        std::string_view value = take_until(keys, ',');
        const std::string_view key = take_until(value, '=');
        set_key(link, key, value);
    }
    check_gateways(link);
    return link;
}

const TypeWord& type_of(std::string_view word) {
    const auto* const found =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeWord& type) { return type.word == word; });
    if (found == std::end(kTypes)) {
        throw Error(fmt::format("'{}' is no kind of network", printable(word)),
                    "There are veth, bridge:NAME, zone:NAME, macvlan:NAME, ipvlan:NAME, interface:NAME, "
                    "namespace:PATH, machine:NAME, private and host.");
    }
    return *found;
}

} // namespace

void apply_network(NetworkSettings& settings, std::string_view text, const std::string& directory) {
    std::string_view keys = text;
    std::string_view parent = take_until(keys, ',');
    const bool has_parent = parent.find(':') != std::string_view::npos;
    const std::string_view word = take_until(parent, ':');
    const bool whole = word == "host" || word == "private";
    if (whole ? has_parent || !keys.empty() : (word == "namespace" || word == "machine") && !keys.empty()) {
        throw Error(fmt::format("nothing can be added to '{}'", word));
    }
    if (word == "host") {
        settings = {};
    } else if (word == "private") {
        settings.is_private = true;
    } else if (word == "namespace") {
        settings.namespace_path = parse_namespace_path(parent, directory);
    } else if (word == "machine") {
        if (const auto problem = machine_name_problem(parent)) {
            throw Error(fmt::format("the machine's name '{}' {}", printable(parent), *problem));
        }
        settings.machine = parent;
    } else {
        const TypeWord& type = type_of(word);
        if (has_parent != type.has_parent) {
            throw Error(type.has_parent ? fmt::format("'{}' needs the name of one, as in {}:NAME", word, word)
                                        : fmt::format("'{}' takes no name", word));
        }
        settings.links.push_back(parse_link(type, parent, keys));
    }
}

std::string format_network_link(const NetworkLink& link) {
    const auto* const type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                          [&](const TypeWord& each) { return each.kind == link.kind; });
    std::string text(type->word);
    const auto add = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) {
            text.append(",").append(key).append("=").append(value);
        }
    };
    if (type->has_parent) {
        text.append(":").append(link.parent);
    }
    add("name", link.name);
    add("host-name", link.host_name);
    add("mac", link.mac ? format_mac_address(*link.mac) : "");
    add("host-mac", link.host_mac ? format_mac_address(*link.host_mac) : "");
    for (const IpPrefix& address : link.addresses) {
        add("address", format_ip_prefix(address));
    }
    for (const IpAddress& gateway : link.gateways) {
        add("gateway", format_ip_address(gateway));
    }
    return text;
}

} // namespace nspawn
