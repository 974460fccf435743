// link.hpp — network interfaces: making, finding, changing and deleting them, their addresses and routes.
//
// Each function is one request on a socket of the network namespace that is meant (netlink.hpp); a descriptor in a
// request names another one. Nothing is owned here: what has to be given back is the caller's to remember.
// Source: rtnetlink(7), the kernel's Documentation/netlink/specs/rt_link.yaml, rt_addr.yaml and rt_route.yaml.
#pragma once

#include "linux/ip_address.hpp"
#include "linux/netlink.hpp"

#include <string>
#include <vector>

namespace nspawn {

struct Link {
    int index = 0;
    std::string name = {};
    std::vector<std::string> alternative_names = {};
    std::string kind = {};                  // "veth", "bridge", …; empty: a device of the machine's, or the loopback
    unsigned flags = 0;                     // IFF_*
    unsigned short type = 0;                // ARPHRD_*
    int master = 0;                         // index of the bridge or the like that it belongs to; 0: none
    int peer = 0;                           // IFLA_LINK: the other end of a veth, what a macvlan lies on; 0: none
    std::optional<int> peer_namespace = {}; // number of the network namespace that `peer` counts in, if not this one
    std::optional<MacAddress> mac = {};
    std::optional<MacAddress> permanent_mac = {}; // that hardware came with
};

// By name or alternative name. ENODEV: there is none.
Result<Link> find_link(NetlinkSocket& socket, std::string_view name);
Result<Link> find_link(NetlinkSocket& socket, int index);
// `master`: only the members of the bridge with this index.
Result<std::vector<Link>> list_links(NetlinkSocket& socket, int master = 0);

// What a new link is to be; what is not said is as the kernel makes it.
struct NewLink {
    std::string name = {};
    std::optional<MacAddress> mac = {};
    int network_namespace = -1; // descriptor; -1: that of the socket
    int master = 0;             // index of a bridge; not for one in another network namespace
    bool up = false;            // not for the peer of a pair, which has no peer itself when it is made
};
// Both ends at once. The peer may be in another network namespace from its first moment.
Result<void> make_veth(NetlinkSocket& socket, const NewLink& link, const NewLink& peer);
Result<void> make_bridge(NetlinkSocket& socket, const NewLink& link);
// On the link with this index, which is in the socket's network namespace.
Result<void> make_macvlan(NetlinkSocket& socket, const NewLink& link, int parent); // mode "bridge"
Result<void> make_ipvlan(NetlinkSocket& socket, const NewLink& link, int parent);  // mode "l2"

struct LinkChange {
    std::string name = {};          // empty: as it is
    int network_namespace = -1;     // descriptor of the one that it is moved to; -1: stays
    std::optional<int> master = {}; // 0: leaves it
    std::optional<bool> up = {};
};
// One request: renamed, moved, enslaved and switched together or, where the kernel refuses, perhaps in part.
Result<void> change_link(NetlinkSocket& socket, int index, const LinkChange& change);
// To the link of that name.
Result<void> add_alternative_name(NetlinkSocket& socket, std::string_view link, std::string_view name);
Result<void> delete_link(NetlinkSocket& socket, int index);

struct LinkAddress {
    int index = 0; // of the link
    IpPrefix prefix = {};
    unsigned char scope = RT_SCOPE_UNIVERSE;
    unsigned flags = 0; // IFA_F_*
};
// EEXIST: it has it already. An IPv6 address is usable at once (no duplicate address detection).
Result<void> add_address(NetlinkSocket& socket, const LinkAddress& address);
Result<void> remove_address(NetlinkSocket& socket, const LinkAddress& address);
Result<std::vector<LinkAddress>> list_addresses(NetlinkSocket& socket);

struct Route {
    IpPrefix destination = {};             // of length 0: the default route
    std::optional<IpAddress> gateway = {}; // none: on the link itself
    int index = 0;                         // of the link
    uint32_t metric = 0;
    bool gateway_on_link = false; // the gateway is taken to be on the link though no address says so
};
Result<void> add_route(NetlinkSocket& socket, const Route& route);
// Of the main table, unicast only.
Result<std::vector<Route>> list_routes(NetlinkSocket& socket);
// As list_routes() would have what an RTM_NEWROUTE says; nothing: it would leave it out.
std::optional<Route> read_route(const nlmsghdr& message);

} // namespace nspawn
