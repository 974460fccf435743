// address_watch.hpp — which addresses the container has, now and whenever that changes.
//
// Owns sockets in the container's network namespace; sees what the kernel says there and asks for nothing but lists.
// The first address of each family counts that is not only for its own link or host. What the container does to its
// links can make us look again, no more: what is read is bounded. Source: rtnetlink(7).
#pragma once

#include "linux/netlink.hpp"
#include "network/service.hpp"

namespace nspawn {

class AddressWatch {
public:
    // Throws Error. `container`: its network namespace.
    explicit AddressWatch(int container);

    // Readable when something has changed.
    [[nodiscard]] int fd() const { return changes_.fd(); }
    // What holds now.
    ContainerAddresses look();

private:
    void forget_changes() const;
    void find_first(int family, ContainerAddresses& addresses);
    bool is_on_veth(uint32_t link);

    NetlinkSocket changes_;
    NetlinkSocket container_;
};

} // namespace nspawn
