#include "run/network.hpp"

#include "base/log.hpp"
#include "linux/network_namespace.hpp"
#include "linux/process.hpp"
#include "linux/wireless.hpp"
#include "linux/zone_bridge.hpp"
#include "run/claimed_address.hpp"
#include "run/machine_network.hpp"
#include "run/network_link.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <unistd.h>

namespace nspawn {

UniqueFd open_joined_namespace(const NetworkPlan& network) {
    if (!network.machine.empty()) {
        return open_network_of_machine(network.machine);
    }
    if (network.namespace_path.empty()) {
        return {};
    }
    Result<UniqueFd> opened = open_network_namespace(network.namespace_path.c_str());
    if (opened.error() == EINVAL) {
        throw Error(fmt::format("{} is no network namespace", network.namespace_path),
                    "\"ip netns add NAME\" makes one, in /run/netns; that of a process is ns/net in its directory "
                    "below /proc.");
    }
    return std::move(opened).or_throw(network.namespace_path);
}

void Network::make(const Plan& plan, pid_t leader, ScratchRecord& record) {
    Result<UniqueFd> opened = open_network_namespace(leader);
    if (opened.error() == ENOENT || opened.error() == ESRCH) {
        return; // it has failed already, and will say why
    }
    namespace_ = std::move(opened).or_throw("the container's network namespace");
    publish_network(plan.machine, leader, namespace_.get(), record);
    if (plan.network.links.empty()) {
        namespace_.reset();
        return;
    }
    NetlinkSocket socket = NetlinkSocket::open().or_throw("");
    lend_all(socket, plan.network.links, record);
    for (const PlannedLink& link : plan.network.links) {
        make_link(socket, plan, link, leader, record);
    }
    if (std::any_of(plan.network.links.begin(), plan.network.links.end(), has_inner_part)) {
        NetlinkSocket inside = NetlinkSocket::open_in(namespace_.get()).or_throw("the container's network namespace");
        for (const PlannedLink& link : plan.network.links) {
            set_up_inside(inside, link);
        }
    }
    if (lent_.empty()) {
        namespace_.reset();
    }
}

void Network::make_link(NetlinkSocket& socket, const Plan& plan, const PlannedLink& link, pid_t leader,
                        ScratchRecord& record) {
    const std::string& neighbourhood = link.kind == LinkKind::veth ? link.bridge : link.parent;
    if (!link.addresses.empty() && !neighbourhood.empty() && link.kind != LinkKind::interface) {
        claim_addresses(neighbourhood, link.addresses, leader, namespace_.get(), record);
    }
    switch (link.kind) {
    case LinkKind::veth:
        if (link.zone) {
            join_zone(socket, plan, link, record);
        } else {
            make_pair(socket, link, link.bridge.empty() ? 0 : find_bridge(socket, link.bridge).index, namespace_.get(),
                      [&] { return machine_runs(plan.machine, record); });
        }
        break;
    case LinkKind::macvlan:
    case LinkKind::ipvlan:
        make_on_parent(socket, link, namespace_.get());
        break;
    case LinkKind::interface:
        break; // lent before
    }
}

void Network::join_zone(NetlinkSocket& socket, const Plan& plan, const PlannedLink& link, ScratchRecord& record) {
    record.add(ScratchKind::zone_bridge, of_this_network("/" + link.bridge));
    const ZoneLock lock = ZoneLock::take().or_throw("the lock of the zones");
    const Result<Link> bridge = find_or_make_zone_bridge(socket, link.bridge, link.host_mac, lock);
    if (bridge.error() == EEXIST) {
        throw Error(fmt::format("the interface '{}' is no bridge, so there is no such zone", link.bridge));
    }
    if (!bridge.ok()) {
        throw_link_failure(socket, bridge.error(), "zone bridge " + link.bridge);
    }
    zones_.push_back({link.bridge, 0});
    make_pair(socket, link, bridge.value().index, namespace_.get(), [&] { return machine_runs(plan.machine, record); });
    // By number: another run may have an end of this name when ours is to be removed.
    const Result<Link> end = find_link(socket, link.host_name.name);
    zones_.back().link = end.ok() ? end.value().index : 0;
    if (!link.addresses.empty()) { // then nobody else may be there to switch it on
        const Result<void> up = change_link(socket, bridge.value().index, {.up = true});
        if (!up.ok()) {
            throw_link_failure(socket, up.error(), "switching on zone bridge " + link.bridge);
        }
    }
}

namespace {

LentLink find_to_lend(NetlinkSocket& socket, const PlannedLink& link) {
    const Link device = find_parent(socket, link);
    const Result<std::optional<uint32_t>> radio = radio_of_link(device.index);
    if (!radio.ok()) {
        throw_link_failure(socket, radio.error(), fmt::format("the radio of the interface '{}'", link.parent));
    }
    return {.host_name = device.name,
            .name = link.name.name.empty() ? device.name : link.name.name,
            .index = device.index,
            .mac = device.permanent_mac ? device.permanent_mac : device.mac,
            .hardware = device.kind.empty(),
            .radio = radio.value()};
}

} // namespace

// All are found before the first one is moved: a radio takes all of its interfaces with it.
void Network::lend_all(NetlinkSocket& socket, const std::vector<PlannedLink>& links, ScratchRecord& record) {
    std::vector<LentLink> wanted;
    for (const PlannedLink& link : links) {
        if (link.kind == LinkKind::interface) {
            wanted.push_back(find_to_lend(socket, link));
        }
    }
    if (wanted.empty()) {
        return;
    }
    const UniqueFd own = open_network_namespace("/proc/self/ns/net").or_throw("our network namespace");
    for (const LentLink& lent : wanted) {
        record.add(ScratchKind::lent_link, "/" + lent.text());
        const Result<void> moved = lend_link(socket, lent, namespace_.get(), own.get());
        if (!moved.ok()) {
            throw_link_failure(socket, moved.error(),
                               fmt::format("moving the interface '{}' into the container", lent.host_name));
        }
        lent_.push_back(lent);
    }
}

void Network::take_back(ScratchRecord& record) {
    if (lent_.empty()) {
        return;
    }
    const Result<UniqueFd> own = open_network_namespace("/proc/self/ns/net");
    for (const LentLink& link : lent_) {
        const Result<void> back =
            own.ok() ? take_link_back(link, namespace_.get(), own.value().get()) : own.system_error();
        if (back.error() == EEXIST) {
            log::warning("the interface '{}' is back under another name: its own is taken", link.host_name);
        } else if (!back.ok()) {
            log::warning("the interface '{}' cannot be taken back from the container: {}", link.host_name,
                         error_text(back.error()));
            record.keep();
        }
    }
    lent_.clear();
    namespace_.reset();
}

namespace {

bool leave_zone(const std::string& bridge, int link) {
    const Result<ZoneLock> lock = ZoneLock::take();
    Result<NetlinkSocket> socket = NetlinkSocket::open();
    if (!lock.ok() || !socket.ok()) {
        return false;
    }
    // Our end first, as long as it is there: a bridge with members would stay.
    if (link != 0) {
        (void)delete_link(socket.value(), link); // whether it is gone is told by what comes next
    }
    const Result<void> removed = remove_zone_bridge_if_empty(socket.value(), bridge, lock.value());
    return removed.ok() || removed.error() == EBUSY; // others are still there, and the last of them removes it
}

// In a process of its own: nothing of ours but the record is held open for longer than we live.
void close_all_but(int kept) {
    if (kept > 0) {
        (void)close_range(0, static_cast<unsigned>(kept - 1), 0);
    }
    (void)close_range(static_cast<unsigned>(kept + 1), ~0U, 0);
}

} // namespace

void Network::leave_zones(ScratchRecord& record, bool wait) {
    const std::vector<Membership> zones = std::exchange(zones_, {});
    const Result<Pidfd> process = wait ? Result<Pidfd>(SystemError{ECHILD, ""}) : clone_process({});
    if (process.ok() && process.value().valid()) {
        record.keep(); // it is that process's now
        return;
    }
    if (process.ok()) {
        close_all_but(record.fd());
    }
    bool left = true;
    for (const Membership& zone : zones) {
        left = leave_zone(zone.bridge, zone.link) && left;
    }
    if (!left) {
        record.keep();
    }
    if (process.ok()) {
        { const ScratchRecord last = std::move(record); }
        _exit(EXIT_SUCCESS);
    }
}

} // namespace nspawn
