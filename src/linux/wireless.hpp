// wireless.hpp — radios: which one a wireless interface belongs to, and moving it into another network namespace.
//
// The kernel lets no wireless interface leave the network namespace of its radio (its "phy"), but moves a radio, and
// all of its interfaces with it. Owns a socket of nl80211 and the number that this family has here; knows nothing of
// names of interfaces. A host without wireless devices has no such family, and is not made to load it. Source: the
// comments of <linux/nl80211.h> and <linux/genetlink.h>, genetlink in the kernel's Documentation/networking.
#pragma once

#include "linux/netlink.hpp"

#include <cstdint>
#include <optional>

namespace nspawn {

class Wireless {
public:
    // Of our network namespace, or of that one. ENOENT: this kernel has nothing wireless.
    static Result<Wireless> open();
    static Result<Wireless> open_in(int network_namespace);

    // ENODEV: the link with this number belongs to no radio.
    Result<uint32_t> radio_of(int link);
    // From the socket's namespace into that one. ENODEV: it is not here. EOPNOTSUPP: its driver does not let it go.
    Result<void> move_radio(uint32_t radio, int network_namespace);

private:
    static Result<Wireless> with(Result<NetlinkSocket> socket);
    Wireless(NetlinkSocket socket, uint16_t family) : socket_(std::move(socket)), family_(family) {}

    NetlinkSocket socket_;
    uint16_t family_;
};

// Of an interface in our network namespace; no value: it belongs to none.
Result<std::optional<uint32_t>> radio_of_link(int link);

// What is asked of the kernel; `family`: nl80211's number.
NetlinkMessage wireless_family_question();
NetlinkMessage radio_question(uint16_t family, int link);
NetlinkMessage radio_move(uint16_t family, uint32_t radio, int network_namespace);

} // namespace nspawn
