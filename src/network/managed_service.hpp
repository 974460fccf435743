// managed_service.hpp — a network that works without anybody in the container doing something for it.
//
// Gives the link its addresses on both sides, the container its default routes and the host what it takes to forward,
// also by interfaces that get their routes later; leaves NAT, names and DHCP to the keeper of the link. What it sets on
// links goes with them; settings of the host are in the lease table's book. Addresses are settled by nspawn before
// (run/managed_lease.hpp).
#pragma once

#include "config/managed_network.hpp"
#include "linux/link.hpp"
#include "network/link_keeper.hpp"
#include "network/route_watch.hpp"
#include "network/service.hpp"

#include <optional>
#include <string>
#include <vector>

namespace nspawn {

class ManagedService : public Service {
public:
    // `again`: the container's side is left as its payload has it.
    ManagedService(const Surroundings& surroundings, std::string machine, ManagedNetwork network, bool again)
        : surroundings_(surroundings), machine_(std::move(machine)), network_(std::move(network)), again_(again) {}

    void begin() override;
    void enter(int container) override;
    void addresses_changed(const ContainerAddresses& /*addresses*/) override {}
    void end() override;

private:
    void address_host();
    void set_up_container(int container);
    void address_container(NetlinkSocket& socket, int index);
    void serve_by_dhcp(const Link& container_link);
    std::vector<std::string> open_host();
    void watch_keeper();
    void watch_routes();
    void on_route_change();
    void look_at_routes();
    void await_end_of_lease() const;
    void give_bridge_back();

    Surroundings surroundings_;
    std::string machine_;
    ManagedNetwork network_;
    LinkKeeper keeper_;
    std::optional<RouteWatch> routes_;
    std::vector<std::string> uplinks_;
    std::vector<std::string> opened_; // interfaces of the host that forward because of us
    int restarts_ = 0;
    bool again_ = false;
};

} // namespace nspawn
