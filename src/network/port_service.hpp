// port_service.hpp — the ports of the host that lead into the container.
//
// Owns the elements in the packet filter's maps, which follow the container's addresses, the record of them, and the
// forwarder for the host's loopback addresses. Tables are made when they are missing and removed with the last
// container of ours, if we made them and nobody else has put something into them. Behaviour: spec C.13,
// systemd-nspawn(1) "--port=".
#pragma once

#include "config/port.hpp"
#include "network/local_forwarder.hpp"
#include "network/nat_rules.hpp"
#include "network/nft.hpp"
#include "network/port_registry.hpp"
#include "network/reach.hpp"
#include "network/service.hpp"

#include <optional>
#include <string>
#include <vector>

namespace nspawn {

class PortService : public Service {
public:
    // `host`: our own network namespace, open as long as we live.
    PortService(const Surroundings& surroundings, std::string machine, std::vector<PublishedPort> ports, int host);

    void begin() override;
    void enter(int container) override;
    void settled() override;
    void addresses_changed(const ContainerAddresses& addresses) override;
    void end() override;

private:
    void make_tables();
    void make_table(NatTable table, Family family);
    void refuse_taken_ports(NatTable table, Family family);
    void listen_on_loopback();
    void tell_missing_addresses();
    void change_to(std::vector<NatElement> wanted);
    [[nodiscard]] bool uses(NatTable table, Family family) const;

    EventLoop& loop_;
    Reporter& reporter_;
    std::string machine_;
    std::vector<PublishedPort> ports_;
    bool has_ipv6_ = false; // the host
    Nft nft_;
    std::optional<PortRegistry> registry_;
    Reach reach_;
    std::optional<LocalForwarder> forwarder_;
    std::vector<NatElement> elements_; // in the kernel now
};

// For whoever comes after a killed worker: takes back what it left. Never throws.
void reclaim_ports();

} // namespace nspawn
