// managed_network.hpp — what --network-managed= and --network-pool= ask for, and what they come to for one container.
//
// Pure: which addresses there are is the plan's and the leases' to say. What is wrong is thrown as an Error with the
// reason alone; the caller knows whose value it was.
#pragma once

#include "linux/ip_address.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

enum class ManagedMode {
    no,        // somebody else gives addresses, systemd-networkd on both sides for example
    yes,       // we do
    automatic, // we do, unless systemd-networkd on the host does
    dhcp,      // we do, and answer the container's DHCP client as well
};
inline constexpr std::string_view kManagedWords[] = {"no", "yes", "auto", "dhcp"};

// One of the words, or a boolean.
ManagedMode parse_managed_mode(std::string_view text);
std::string_view to_word(ManagedMode mode);

// Where addresses are taken from; what is not given has a default of its own.
struct AddressPools {
    std::optional<IpPrefix> ipv4;
    std::optional<IpPrefix> ipv6;
};
// Adds what `text` says, prefixes separated by blanks or commas; of each family the last one holds.
void add_address_pools(AddressPools& pools, std::string_view text);

// The addresses of one start, settled: what is done with them is nspawn-network's work.
struct ManagedNetwork {
    std::string link;           // on the host; empty: there is no managed network
    std::string container_link; // in the container
    bool dhcp = false;
    bool borrowed = false;          // a bridge that stays: our addresses have to be taken off it
    std::vector<IpPrefix> gateways; // for the link, each with the length of its network
    std::vector<IpPrefix> addresses;
};

} // namespace nspawn
