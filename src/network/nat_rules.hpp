// nat_rules.hpp — the packet filter's tables that publish ports, as text for nft(8).
//
// Two tables of each family. "io.systemd.nat" is shared with systemd-nspawn and systemd-networkd and is laid out
// exactly as theirs, so that whoever comes first makes it and all use it. "io.nspawn" is ours: ports of one address of
// the host, for which the shared map has no place. Pure: knows nothing of what the kernel has. Source: nft(8), and what
// "nft list ruleset" shows after "systemd-nspawn --port=".
#pragma once

#include "config/port.hpp"
#include "network/service.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

enum class Family { ipv4, ipv6 };
enum class NatTable { shared, own };

std::string_view table_name(NatTable table);
std::string_view family_word(Family family); // "ip", "ip6"
std::string_view map_name(NatTable table);

// Commands that make the whole table and fail when one of the name is there.
std::string create_table(NatTable table, Family family);
std::string delete_table(NatTable table, Family family);

// One port of a map. Also written down in records, as text.
struct NatElement {
    NatTable table = NatTable::shared;
    Family family = Family::ipv4;
    std::string key;   // "tcp . 8080", or "192.0.2.1 . tcp . 8080"
    std::string value; // "10.0.0.2 . 80"

    bool operator==(const NatElement&) const = default;
};

std::string as_line(const NatElement& element);
std::optional<NatElement> parse_element(std::string_view line);

// Which tables the ports need; ports of loopback addresses need none.
bool needs_table(std::span<const PublishedPort> ports, NatTable table, Family family);
// The keys of all ports in a table.
std::vector<std::string> keys_of(std::span<const PublishedPort> ports, NatTable table, Family family);
// What has to be in the maps for a container with these addresses.
std::vector<NatElement> elements_for(std::span<const PublishedPort> ports, const ContainerAddresses& addresses);

// One transaction. Existing elements are fine for "add" when they are the same, EEXIST when they lead somewhere else;
// "delete" fails with ENOENT unless each one is there, with that value.
std::string change_elements(std::string_view verb, std::span<const NatElement> elements);

// What `nft -j list table` says about a table of ours: nothing but what create_table() makes, and no element anywhere.
bool is_unused(std::string_view json);
// The keys of one of the maps that are among `wanted`, each with its value, from `nft -j list map`.
std::vector<NatElement> find_elements(std::string_view json, NatTable table, Family family,
                                      std::span<const std::string> wanted);

} // namespace nspawn
