// network.hpp — what the network options ask for, and the grammar they are asked in.
//
// Pure: names are text here, no interface is looked up, and what a link is called in the end is the plan's to say. What
// is wrong is thrown as an Error with the reason alone; the caller knows whose value it was. Source of the grammar:
// systemd-nspawn(1) "Networking Options", systemd.nspawn(5) "[Network]"; --network= is ours.
#pragma once

#include "linux/ip_address.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

// An interface of the host and what it, or what is made on it, is called in the container.
struct HostPair {
    std::string host = {};      // a name, or an alternative name
    std::string container = {}; // empty: as the option has it by default
};

enum class NetworkKind {
    veth,      // a pair; the host's end stands alone
    bridge,    // a pair; the host's end is a member of bridge `parent`
    zone,      // a pair; the host's end is a member of the bridge of zone `parent`
    macvlan,   // on the host's interface `parent`
    ipvlan,    // on the host's interface `parent`
    interface, // the host's interface `parent` itself
};

// One interface of the container.
struct NetworkLink {
    NetworkKind kind = NetworkKind::veth;
    std::string parent = {};
    std::string name = {};      // in the container; empty: the default of its kind
    std::string host_name = {}; // of the host's end of a pair; empty: the default of its kind
    std::optional<MacAddress> mac = {};
    std::optional<MacAddress> host_mac = {};
    std::vector<IpPrefix> addresses = {}; // set before the payload starts
    std::vector<IpAddress> gateways = {}; // of default routes
};

struct NetworkSettings {
    // --private-network; after derive() also what the others imply. False: the host's network, or a joined one.
    bool is_private = false;
    bool veth = false;                // --network-veth
    std::string bridge = {};          // --network-bridge=
    std::string zone = {};            // --network-zone=, without "vz-"
    std::vector<HostPair> extra = {}; // --network-veth-extra=
    std::vector<HostPair> interfaces = {};
    std::vector<HostPair> macvlan = {};
    std::vector<HostPair> ipvlan = {};
    std::vector<NetworkLink> links = {}; // --network=
    std::string namespace_path = {}; // --network-namespace-path=: absolute; empty: a namespace of its own or the host's
    std::string machine = {};        // --network=machine:, whose network namespace is joined

    // Some interface is made or moved into the container.
    [[nodiscard]] bool has_links() const;
    // It lives in a network namespace that somebody else made.
    [[nodiscard]] bool joins() const { return !namespace_path.empty() || !machine.empty(); }
};

// A name that the kernel takes for an interface: 1 to 15 bytes without blanks, control characters, '/', ':' and '%',
// neither "." nor ".." nor a number alone.
bool is_link_name(std::string_view text);
// The same for alternative names, which may have up to 127 bytes.
bool is_alternative_link_name(std::string_view text);

// HOST[:CONTAINER], several of them separated by blanks.
std::vector<HostPair> parse_host_pairs(std::string_view text);
// HOST[:CONTAINER]; what comes after must be both ends' own short names.
HostPair parse_veth_pair(std::string_view text);
std::string format_host_pair(const HostPair& pair);
std::string parse_bridge(std::string_view text);
std::string parse_zone(std::string_view text);
// An absolute path, or a name that stands for /run/netns/NAME; other relative paths start in `directory`.
std::string parse_namespace_path(std::string_view text, const std::string& directory);

// TYPE[:PARENT][,name=IF][,host-name=IF][,mac=MAC][,host-mac=MAC][,address=ADDRESS/LENGTH][,gateway=ADDRESS], added to
// or set in `settings`. "host" takes back all that was said before.
void apply_network(NetworkSettings& settings, std::string_view text, const std::string& directory);
std::string format_network_link(const NetworkLink& link);

} // namespace nspawn
