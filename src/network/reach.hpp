// reach.hpp — the way from here to the container: sockets that are on their way to one of its ports.
//
// From the host's side where the container hangs on a veth, so that its services see a stranger; otherwise (macvlan,
// ipvlan, a moved device: the host cannot talk to those) from a socket in the container's own namespace. Owns none of
// the namespaces. Source: setns(2), network_namespaces(7), macvlan in ip-link(8).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "linux/netlink.hpp"
#include "network/service.hpp"

#include <cstdint>

namespace nspawn {

class Reach {
public:
    // `host`: our own network namespace, `container`: the other one; both stay open. Throws Error.
    explicit Reach(int host);
    void set_container(int container) { container_ = container; }
    void set_addresses(const ContainerAddresses& addresses) { addresses_ = addresses; }

    // How many ways there are; the first one is of the kind that is preferred, if the container has one.
    [[nodiscard]] size_t ways() const;
    // A non-blocking socket, connected or about to be. ENOENT: there is no such way.
    [[nodiscard]] Result<UniqueFd> open(int type, size_t way, bool prefer_ipv6, uint16_t port);

private:
    [[nodiscard]] Result<UniqueFd> make_socket(int family, int type, bool in_container) const;
    bool is_neighbour(int family, const void* address, size_t size);

    int host_;
    int container_ = -1;
    ContainerAddresses addresses_;
    NetlinkSocket routes_; // of the host
};

} // namespace nspawn
