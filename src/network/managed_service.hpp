// managed_service.hpp — a network that works without anybody in the container doing something for it.
//
// Gives the link its addresses on both sides, the container its default routes and the host what it takes to forward;
// leaves NAT, names and DHCP to the keeper of the link. What it sets on links goes with them; settings of the host are
// in the lease table's book. Addresses are settled by nspawn before (run/managed_lease.hpp).
#pragma once

#include "config/managed_network.hpp"
#include "linux/link.hpp"
#include "network/link_keeper.hpp"
#include "network/service.hpp"

#include <string>

namespace nspawn {

class ManagedService : public Service {
public:
    ManagedService(const Surroundings& surroundings, std::string machine, ManagedNetwork network)
        : surroundings_(surroundings), machine_(std::move(machine)), network_(std::move(network)) {}

    void begin() override;
    void enter(int container) override;
    void addresses_changed(const ContainerAddresses& /*addresses*/) override {}
    void end() override;

private:
    void address_host();
    void address_container(NetlinkSocket& socket, int index);
    void serve_by_dhcp(const Link& container_link);
    std::vector<std::string> open_host();
    void watch_keeper();
    void await_end_of_lease() const;
    void give_bridge_back();

    Surroundings surroundings_;
    std::string machine_;
    ManagedNetwork network_;
    LinkKeeper keeper_;
    int restarts_ = 0;
};

} // namespace nspawn
