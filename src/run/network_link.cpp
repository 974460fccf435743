#include "run/network_link.hpp"

#include "base/error.hpp"
#include "base/log.hpp"

#include <fmt/format.h>

#include <ctime>

#include <net/if_arp.h>
#include <unistd.h>

namespace nspawn {

void throw_link_failure(const NetlinkSocket& socket, int code, std::string_view what) {
    Error error(fmt::format("{}: {}", what, socket.reason(code)));
    if (code == EPERM) {
        error.with_hint("CAP_NET_ADMIN over the host's network is needed.");
    }
    throw Error(error).with_code(code);
}

namespace {

void require(const NetlinkSocket& socket, const Result<void>& done, std::string_view what) {
    if (!done.ok()) {
        throw_link_failure(socket, done.error(), what);
    }
}

// Where udev runs it may still be renaming the interface.
void require_initialized(const Link& link) {
    const bool udev_runs = access("/run/udev/control", F_OK) == 0;
    if (udev_runs && access(fmt::format("/run/udev/data/n{}", link.index).c_str(), F_OK) < 0) {
        throw Error(fmt::format("udev has not finished with the interface '{}' yet", link.name),
                    "Try again in a moment, or see \"udevadm info\" for what it waits for.");
    }
}

} // namespace

Link find_bridge(NetlinkSocket& socket, const std::string& name) {
    Result<Link> bridge = find_link(socket, name);
    if (bridge.error() == ENODEV) {
        throw Error(fmt::format("there is no bridge '{}'", name),
                    "Make it first (\"ip link add NAME type bridge\"), or use a zone, which makes its own.");
    }
    if (!bridge.ok()) {
        throw_link_failure(socket, bridge.error(), "bridge " + name);
    }
    if (bridge.value().kind != "bridge") {
        throw Error(fmt::format("the interface '{}' is no bridge", name));
    }
    return std::move(bridge).value();
}

Link find_parent(NetlinkSocket& socket, const PlannedLink& link) {
    Result<Link> parent = find_link(socket, link.parent);
    if (parent.error() == ENODEV) {
        throw Error(fmt::format("there is no interface '{}' on the host", link.parent));
    }
    if (!parent.ok()) {
        throw_link_failure(socket, parent.error(), "interface " + link.parent);
    }
    if (parent.value().type == ARPHRD_LOOPBACK) {
        throw Error(fmt::format("the loopback interface '{}' cannot be given to a container", link.parent));
    }
    require_initialized(parent.value());
    return std::move(parent).value();
}

namespace {

// An end that an earlier run of this machine has left: its network namespace lives on for a moment, or for as long as
// another machine is in it. Nobody else has a pair with this address.
bool is_leftover(const Result<Link>& found, const PlannedLink& link) {
    return found.ok() && found.value().kind == "veth" && found.value().peer_namespace && link.host_mac &&
           found.value().mac == link.host_mac;
}

// True when the name is free now.
bool clear_host_name(NetlinkSocket& socket, const PlannedLink& link, const std::function<bool()>& is_running) {
    const Result<Link> found = find_link(socket, link.host_name.name);
    if (found.error() == ENODEV) {
        return true;
    }
    if (!is_leftover(found, link) || is_running()) {
        return false;
    }
    const Result<void> deleted = delete_link(socket, found.value().index);
    return deleted.ok() || deleted.error() == ENODEV;
}

NewLink host_end(const PlannedLink& link, int bridge) {
    // Alone, the host's end is for the host's network manager to switch on; with an address of ours there may be none.
    return {.name = link.host_name.name,
            .mac = link.host_mac,
            .master = bridge,
            .up = bridge != 0 || !link.addresses.empty()};
}

NewLink container_end(const PlannedLink& link, int network_namespace) {
    return {
        .name = link.name.name, .mac = link.mac, .network_namespace = network_namespace, .up = !link.addresses.empty()};
}

std::string pair_text(const PlannedLink& link) {
    return fmt::format("interface '{}' of the host and '{}' of the container", link.host_name.name, link.name.name);
}

void name_wholly(NetlinkSocket& socket, const LinkName& name) {
    if (name.whole.empty()) {
        return;
    }
    const Result<void> named = add_alternative_name(socket, name.name, name.whole);
    if (!named.ok() && named.error() != EOPNOTSUPP) { // before Linux 5.5 there are none
        log::warning("the interface '{}' cannot be called '{}' too: {}", name.name, name.whole,
                     socket.reason(named.error()));
    }
}

} // namespace

void make_pair(NetlinkSocket& socket, const PlannedLink& link, int bridge, int network_namespace,
               const std::function<bool()>& is_running) {
    const NewLink outer = host_end(link, bridge);
    const NewLink inner = container_end(link, network_namespace);
    Result<void> made = make_veth(socket, outer, inner);
    if (made.error() == EEXIST && clear_host_name(socket, link, is_running)) {
        made = make_veth(socket, outer, inner);
    }
    if (made.error() == EEXIST) {
        throw Error(fmt::format("there is an interface '{}' on the host already", link.host_name.name),
                    "Another machine of this name may be running; --machine= and --network=…,host-name= give others.")
            .with_code(EEXIST);
    }
    if (made.error() == EOPNOTSUPP) {
        throw Error("the kernel has no virtual Ethernet interfaces", "It needs CONFIG_VETH (module veth).");
    }
    require(socket, made, pair_text(link));
    name_wholly(socket, link.host_name);
}

void make_on_parent(NetlinkSocket& socket, const PlannedLink& link, int network_namespace) {
    const bool macvlan = link.kind == LinkKind::macvlan;
    const Link parent = find_parent(socket, link);
    const NewLink wanted = container_end(link, network_namespace);
    const Result<void> made =
        macvlan ? make_macvlan(socket, wanted, parent.index) : make_ipvlan(socket, wanted, parent.index);
    if (made.error() == EOPNOTSUPP) {
        throw Error(fmt::format("the kernel has no {} interfaces", macvlan ? "macvlan" : "ipvlan"),
                    macvlan ? "It needs CONFIG_MACVLAN (module macvlan)." : "It needs CONFIG_IPVLAN (module ipvlan).");
    }
    require(socket, made,
            fmt::format("{} interface '{}' on '{}'", macvlan ? "macvlan" : "ipvlan", link.name.name, link.parent));
}

bool has_inner_part(const PlannedLink& link) {
    return !link.addresses.empty() || (link.kind != LinkKind::interface && !link.name.whole.empty());
}

void set_up_inside(NetlinkSocket& socket, const PlannedLink& link) {
    const std::string& name = link.name.name;
    if (link.kind != LinkKind::interface) {
        name_wholly(socket, link.name);
    }
    if (link.addresses.empty()) {
        return;
    }
    Result<Link> found = find_link(socket, name);
    if (!found.ok()) {
        throw_link_failure(socket, found.error(), fmt::format("interface '{}' of the container", name));
    }
    const int index = found.value().index;
    require(socket, change_link(socket, index, {.up = true}), fmt::format("switching '{}' on", name));
    for (const IpPrefix& address : link.addresses) {
        require(socket, add_address(socket, {.index = index, .prefix = address}),
                fmt::format("address {} of '{}'", format_ip_prefix(address), name));
    }
    for (const IpAddress& gateway : link.gateways) {
        const Route route{.destination = {{.family = gateway.family}, 0}, .gateway = gateway, .index = index};
        require(socket, add_route(socket, route),
                fmt::format("default route of '{}' by {}", name, format_ip_address(gateway)));
    }
}

} // namespace nspawn
