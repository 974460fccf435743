#include "network/managed_service.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "lease/lease_table.hpp"
#include "linux/link.hpp"
#include "network/forwarding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include <fcntl.h>
#include <linux/rtnetlink.h>

namespace nspawn {

namespace {

constexpr int kMostRestarts = 5;
constexpr timespec kMoment = {.tv_sec = 0, .tv_nsec = 2'000'000};
constexpr int kMomentsToDie = 1000; // of nspawn, whose lease ends with it

bool has_ipv6(const ManagedNetwork& network) {
    for (const IpPrefix& gateway : network.gateways) {
        if (gateway.address.family == AF_INET6) {
            return true;
        }
    }
    return false;
}

Link find(NetlinkSocket& socket, const std::string& name, const char* where) {
    Result<Link> link = find_link(socket, name);
    if (!link.ok()) {
        throw Error(fmt::format("managed network: interface {} {}: {}", name, where, socket.reason(link.error())));
    }
    return std::move(link).value();
}

void give(NetlinkSocket& socket, int index, const IpPrefix& address, const std::string& link) {
    const Result<void> added = add_address(socket, {.index = index, .prefix = address});
    if (!added.ok() && added.error() != EEXIST) {
        throw Error(fmt::format("managed network: address {} of {}: {}", format_ip_prefix(address), link,
                                socket.reason(added.error())));
    }
}

void switch_on(NetlinkSocket& socket, int index, const std::string& link) {
    LinkChange change;
    change.up = true;
    if (const Result<void> done = change_link(socket, index, change); !done.ok()) {
        throw Error(fmt::format("managed network: switching {} on: {}", link, socket.reason(done.error())));
    }
}

} // namespace

void ManagedService::begin() { keeper_ = LinkKeeper(network_); }

void ManagedService::enter(int container) {
    address_host();
    routes_.emplace(); // before the first look, so that nothing is missed between
    opened_ = open_host();
    if (!again_) {
        set_up_container(container);
    }
    for (const std::string& notice : keeper_.go(opened_)) {
        surroundings_.reporter.notice(notice);
    }
    watch_keeper();
    watch_routes();
}

// By DHCP it is the payload that does so: the server is only told what to answer.
void ManagedService::set_up_container(int container) {
    NetlinkSocket inside = NetlinkSocket::open_in(container).or_throw("managed network: the container's network");
    const Link link = find(inside, network_.container_link, "in the container");
    if (network_.dhcp) {
        serve_by_dhcp(link);
    } else {
        address_container(inside, link.index);
    }
}

void ManagedService::address_host() {
    NetlinkSocket host = NetlinkSocket::open().or_throw("managed network: the host's network");
    const Link link = find(host, network_.link, "of the host");
    for (const IpPrefix& gateway : network_.gateways) {
        give(host, link.index, gateway, network_.link);
    }
    switch_on(host, link.index, network_.link);
}

void ManagedService::address_container(NetlinkSocket& socket, int index) {
    switch_on(socket, index, network_.container_link);
    for (const IpPrefix& address : network_.addresses) {
        give(socket, index, address, network_.container_link);
    }
    for (const IpPrefix& gateway : network_.gateways) {
        const IpPrefix everywhere{{.family = gateway.address.family}, 0};
        const Result<void> added =
            add_route(socket, {.destination = everywhere, .gateway = gateway.address, .index = index});
        // A link of the user's own may have brought one.
        if (!added.ok() && added.error() != EEXIST) {
            throw Error(fmt::format("managed network: default route by {}: {}", format_ip_address(gateway.address),
                                    socket.reason(added.error())));
        }
    }
}

std::vector<std::string> ManagedService::open_host() {
    NetlinkSocket host = NetlinkSocket::open().or_throw("managed network: the host's network");
    uplinks_ = find_uplinks(host, network_.link);
    LeaseTable table = LeaseTable::lock(LeaseTable::Wait::yes).or_throw("the table of leases");
    const Forwarding forwarding = allow_forwarding(table, host, network_.link, has_ipv6(network_));
    for (const std::string& notice : forwarding.notices) {
        surroundings_.reporter.notice(notice);
    }
    return forwarding.opened;
}

void ManagedService::serve_by_dhcp(const Link& container_link) {
    if (!container_link.mac) {
        throw Error(fmt::format("managed network: {} has no address that DHCP knows it by", network_.container_link));
    }
    std::string line = format_mac_address(*container_link.mac);
    for (const IpPrefix& address : network_.addresses) {
        const std::string text = format_ip_address(address.address);
        line += address.address.family == AF_INET ? "," + text : ",[" + text + "]";
    }
    LeaseTable table = LeaseTable::lock(LeaseTable::Wait::yes).or_throw("the table of leases");
    table
        .add_dhcp_host({.machine = machine_, .link = network_.link, .gateways = {}, .addresses = {}},
                       line + "," + machine_ + "\n")
        .or_throw("telling the DHCP server of the container");
}

void ManagedService::watch_keeper() {
    surroundings_.loop
        .watch(keeper_.fd(), EPOLLIN,
               [this](uint32_t) {
                   surroundings_.loop.forget(keeper_.fd());
                   surroundings_.reporter.warning(
                       fmt::format("whoever looked after {} has ended; {}", network_.link,
                                   restarts_ < kMostRestarts ? "starting it anew" : "NAT and names are gone"));
                   if (restarts_++ >= kMostRestarts) {
                       return;
                   }
                   try {
                       begin();
                       (void)keeper_.go(opened_);
                       watch_keeper();
                   } catch (const Error& error) {
                       surroundings_.reporter.warning(error.message());
                   }
               })
        .or_throw("the keeper of the link");
}

void ManagedService::watch_routes() {
    surroundings_.loop.watch(routes_->fd(), EPOLLIN, [this](uint32_t) { on_route_change(); }).or_throw("routes");
}

// Not more often than now and then, however many routes come and go.
void ManagedService::on_route_change() {
    constexpr EventLoop::Duration kRest(500);
    surroundings_.loop.forget(routes_->fd());
    surroundings_.loop
        .start_timer(kRest,
                     [this] {
                         if (routes_->has_new_way(uplinks_, network_.link)) {
                             look_at_routes();
                         }
                         watch_routes();
                     })
        .or_throw("routes");
}

// The rules say which interfaces are open because of us, so their keeper starts anew when there are others.
void ManagedService::look_at_routes() {
    try {
        std::vector<std::string> opened = open_host();
        if (opened == opened_) {
            return;
        }
        opened_ = std::move(opened);
        surroundings_.loop.forget(keeper_.fd());
        keeper_.stop();
        keeper_ = LinkKeeper(network_);
        (void)keeper_.go(opened_);
        watch_keeper();
    } catch (const Error& error) {
        surroundings_.reporter.warning(error.message());
    }
}

void ManagedService::end() {
    if (routes_) {
        surroundings_.loop.forget(routes_->fd());
    }
    surroundings_.loop.forget(keeper_.fd());
    keeper_.stop();
    await_end_of_lease();
    LeaseTable table = LeaseTable::lock(LeaseTable::Wait::yes).or_throw("the table of leases");
    table.sweep();
    const std::vector<LeaseRecord> alive = table.leases();
    const bool in_use = std::any_of(alive.begin(), alive.end(), [this](const LeaseRecord& lease) {
        return lease.link == network_.link && lease.network_namespace == own_network_namespace();
    });
    if (network_.borrowed && !in_use) {
        give_bridge_back();
    }
}

void ManagedService::give_bridge_back() {
    NetlinkSocket host = NetlinkSocket::open().or_throw("managed network: the host's network");
    const Result<Link> link = find_link(host, network_.link);
    for (const IpPrefix& gateway : network_.gateways) {
        if (link.ok()) {
            (void)remove_address(host, {.index = link.value().index, .prefix = gateway}); // gone already is fine
        }
    }
}

void ManagedService::await_end_of_lease() const {
    const std::string machines = std::string(kLeaseDirectory) + "/machines";
    const Result<UniqueFd> directory = open_at(AT_FDCWD, machines.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    for (int moment = 0; directory.ok() && moment < kMomentsToDie; ++moment) {
        if (!read_live_lease(directory.value().get(), machine_.c_str())) {
            break;
        }
        nanosleep(&kMoment, nullptr);
    }
}

} // namespace nspawn
