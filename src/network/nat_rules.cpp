#include "network/nat_rules.hpp"

#include "base/error.hpp"
#include "base/json_reader.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include <arpa/inet.h>

namespace nspawn {

namespace {

struct FamilyWords {
    std::string_view word;
    std::string_view address_type;
    std::string_view loopback;
};

constexpr FamilyWords kFamilies[] = {{"ip", "ipv4_addr", "127.0.0.0/8"}, {"ip6", "ipv6_addr", "::1"}};

const FamilyWords& words_of(Family family) { return kFamilies[static_cast<size_t>(family)]; }

std::string text_of(const in_addr& address) {
    std::array<char, INET_ADDRSTRLEN> text{};
    return inet_ntop(AF_INET, &address, text.data(), text.size());
}

std::string text_of(const in6_addr& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    return inet_ntop(AF_INET6, &address, text.data(), text.size());
}

std::string place_of(NatTable table, Family family) {
    return fmt::format("{} {}", words_of(family).word, table_name(table));
}

// {0} family, {1} type of an address, {2} the loopback addresses
constexpr std::string_view kSharedTable = R"(create table {0} io.systemd.nat
create set {0} io.systemd.nat masq_saddr {{ type {1}; flags interval; }}
create map {0} io.systemd.nat map_port_ipport {{ type inet_proto . inet_service : {1} . inet_service; }}
create chain {0} io.systemd.nat prerouting {{ type nat hook prerouting priority dstnat + 1; policy accept; }}
create chain {0} io.systemd.nat output {{ type nat hook output priority -99; policy accept; }}
create chain {0} io.systemd.nat postrouting {{ type nat hook postrouting priority srcnat + 1; policy accept; }}
add rule {0} io.systemd.nat prerouting fib daddr type local dnat {0} to meta l4proto . th dport map @map_port_ipport
add rule {0} io.systemd.nat output {0} daddr != {2} oif "lo" dnat {0} to meta l4proto . th dport map @map_port_ipport
add rule {0} io.systemd.nat postrouting {0} saddr @masq_saddr masquerade
)";

// Its chains come just before those of the shared table: who asks for one address means it.
constexpr std::string_view kOwnTable = R"(create table {0} io.nspawn
create map {0} io.nspawn address_ports {{ type {1} . inet_proto . inet_service : {1} . inet_service; }}
create chain {0} io.nspawn prerouting {{ type nat hook prerouting priority dstnat; policy accept; }}
create chain {0} io.nspawn output {{ type nat hook output priority -100; policy accept; }}
add rule {0} io.nspawn prerouting fib daddr type local dnat {0} to {0} daddr . meta l4proto . th dport map @address_ports
add rule {0} io.nspawn output oif "lo" dnat {0} to {0} daddr . meta l4proto . th dport map @address_ports
)";

bool is_any_of(const PublishedPort& port, Family family) {
    return port.address == (family == Family::ipv4 ? "0.0.0.0" : "::");
}

// "0.0.0.0" and "::" mean every address of one family: that is an entry of the shared map, in that family only.
bool belongs_to(const PublishedPort& port, NatTable table, Family family) {
    if (port.address.empty() || is_any_of(port, family)) {
        return table == NatTable::shared;
    }
    return table == NatTable::own && !is_loopback(port.address) && is_ipv6(port.address) == (family == Family::ipv6) &&
           !is_any_of(port, Family::ipv4) && !is_any_of(port, Family::ipv6);
}

std::string key_of(const PublishedPort& port, NatTable table, unsigned offset) {
    const std::string key = fmt::format("{} . {}", to_word(port.protocol), port.host + offset);
    return table == NatTable::own ? fmt::format("{} . {}", port.address, key) : key;
}

} // namespace

bool operator==(const ContainerAddresses& a, const ContainerAddresses& b) {
    const auto text = [](const auto& address) { return address ? text_of(*address) : std::string(); };
    return text(a.ipv4) == text(b.ipv4) && text(a.ipv6) == text(b.ipv6) && a.ipv4_on_veth == b.ipv4_on_veth &&
           a.ipv6_on_veth == b.ipv6_on_veth;
}

std::string_view table_name(NatTable table) { return table == NatTable::shared ? "io.systemd.nat" : "io.nspawn"; }

std::string_view family_word(Family family) { return words_of(family).word; }

std::string_view map_name(NatTable table) { return table == NatTable::shared ? "map_port_ipport" : "address_ports"; }

std::string create_table(NatTable table, Family family) {
    const FamilyWords& words = words_of(family);
    return fmt::format(fmt::runtime(table == NatTable::shared ? kSharedTable : kOwnTable), words.word,
                       words.address_type, words.loopback);
}

std::string delete_table(NatTable table, Family family) {
    return fmt::format("delete table {}\n", place_of(table, family));
}

std::string as_line(const NatElement& element) {
    return fmt::format("{} {} {} : {}", words_of(element.family).word, table_name(element.table), element.key,
                       element.value);
}

std::optional<NatElement> parse_element(std::string_view line) {
    const std::string_view family = take_until(line, ' ');
    const std::string_view table = take_until(line, ' ');
    const size_t colon = line.find(" : ");
    constexpr std::string_view kSafe = "0123456789abcdef.: tcpu";
    if ((family != "ip" && family != "ip6") || colon == std::string_view::npos ||
        (table != table_name(NatTable::shared) && table != table_name(NatTable::own)) ||
        line.find_first_not_of(kSafe) != std::string_view::npos) {
        return std::nullopt;
    }
    return NatElement{.table = table == table_name(NatTable::own) ? NatTable::own : NatTable::shared,
                      .family = family == "ip6" ? Family::ipv6 : Family::ipv4,
                      .key = std::string(line.substr(0, colon)),
                      .value = std::string(line.substr(colon + 3))};
}

bool needs_table(std::span<const PublishedPort> ports, NatTable table, Family family) {
    return std::any_of(ports.begin(), ports.end(),
                       [&](const PublishedPort& port) { return belongs_to(port, table, family); });
}

std::vector<std::string> keys_of(std::span<const PublishedPort> ports, NatTable table, Family family) {
    std::vector<std::string> keys;
    for (const PublishedPort& port : ports) {
        for (unsigned offset = 0; belongs_to(port, table, family) && offset < port.count; ++offset) {
            keys.push_back(key_of(port, table, offset));
        }
    }
    return keys;
}

std::vector<NatElement> elements_for(std::span<const PublishedPort> ports, const ContainerAddresses& addresses) {
    std::vector<NatElement> elements;
    const auto add = [&](Family family, const std::string& address) {
        for (const NatTable table : {NatTable::shared, NatTable::own}) {
            for (const PublishedPort& port : ports) {
                for (unsigned offset = 0; belongs_to(port, table, family) && offset < port.count; ++offset) {
                    elements.push_back({table, family, key_of(port, table, offset),
                                        fmt::format("{} . {}", address, port.container + offset)});
                }
            }
        }
    };
    if (addresses.ipv4) {
        add(Family::ipv4, text_of(*addresses.ipv4));
    }
    if (addresses.ipv6) {
        add(Family::ipv6, text_of(*addresses.ipv6));
    }
    return elements;
}

std::string change_elements(std::string_view verb, std::span<const NatElement> elements) {
    std::string commands;
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        for (const NatTable table : {NatTable::shared, NatTable::own}) {
            std::string list;
            for (const NatElement& element : elements) {
                if (element.family == family && element.table == table) {
                    list += fmt::format("{}{} : {}", list.empty() ? "" : ", ", element.key, element.value);
                }
            }
            if (!list.empty()) {
                commands +=
                    fmt::format("{} element {} {} {{ {} }}\n", verb, place_of(table, family), map_name(table), list);
            }
        }
    }
    return commands;
}

namespace {

const JsonNode* member(const JsonNode& node, std::string_view name) {
    for (const auto& [key, value] : node.members) {
        if (key == name) {
            return &value;
        }
    }
    return nullptr;
}

// The objects in {"nftables": [ … ]} as (kind, object); nothing when the text is not of that form.
std::vector<std::pair<std::string, JsonNode>> objects_of(std::string_view json) {
    try {
        JsonNode root = parse_json(json);
        std::vector<std::pair<std::string, JsonNode>> objects;
        for (auto& [key, list] : root.members) {
            for (JsonNode& item : list.items) {
                if (key == "nftables" && item.members.size() == 1) {
                    objects.push_back(std::move(item.members.front()));
                }
            }
        }
        return objects;
    } catch (const Error&) {
        return {};
    }
}

std::string number_or_text(const JsonNode& node) {
    return node.kind == JsonNode::Kind::integer ? fmt::format("{}", node.integer) : node.text;
}

// {"concat": ["tcp", 80]} → "tcp . 80"
std::string concatenation(const JsonNode& node) {
    std::string text;
    const JsonNode* const parts = member(node, "concat");
    for (size_t i = 0; parts != nullptr && i < parts->items.size(); ++i) {
        const std::string part = number_or_text(parts->items[i]);
        text += fmt::format("{}{}", i == 0 ? "" : " . ", part == "6" ? "tcp" : part == "17" ? "udp" : part);
    }
    return text;
}

} // namespace

bool is_unused(std::string_view json) {
    constexpr size_t kMostRules = 3; // create_table() makes as many
    size_t rules = 0;
    bool table = false;
    const std::set<std::string> ours = {"masq_saddr", "map_port_ipport", "address_ports",
                                        "prerouting", "output",          "postrouting"};
    for (const auto& [kind, object] : objects_of(json)) {
        const JsonNode* const name = member(object, "name");
        if (kind == "rule") {
            ++rules;
        } else if (kind == "table") {
            table = true;
        } else if (kind != "metainfo" && ((kind != "set" && kind != "map" && kind != "chain") || name == nullptr ||
                                          !ours.contains(name->text) || member(object, "elem") != nullptr)) {
            return false;
        }
    }
    return table && rules <= kMostRules;
}

std::vector<NatElement> find_elements(std::string_view json, NatTable table, Family family,
                                      std::span<const std::string> wanted) {
    const std::set<std::string> keys(wanted.begin(), wanted.end());
    std::vector<NatElement> found;
    for (const auto& [kind, object] : objects_of(json)) {
        const JsonNode* const list = member(object, "elem");
        for (size_t i = 0; kind == "map" && list != nullptr && i < list->items.size(); ++i) {
            const JsonNode& pair = list->items[i];
            if (pair.items.size() == 2 && keys.contains(concatenation(pair.items[0]))) {
                found.push_back({table, family, concatenation(pair.items[0]), concatenation(pair.items[1])});
            }
        }
    }
    return found;
}

} // namespace nspawn
