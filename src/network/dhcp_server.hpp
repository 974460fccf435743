// dhcp_server.hpp — dnsmasq as the DHCP server and router advertiser of one managed network.
//
// For containers whose own system insists on DHCP. All of its configuration is on its command line, it reads no file
// and writes none but its leases, it answers no names (the name server of ours does), and it dies with its starter.
// Each living machine of the network gets the address that its lease says, and nobody else gets any. Source:
// dnsmasq(8).
#pragma once

#include "config/managed_network.hpp"
#include "lease/lease_record.hpp"
#include "linux/process.hpp"

#include <string>
#include <vector>

namespace nspawn {

// Its words, without the program's name.
std::vector<std::string> dhcp_arguments(const ManagedNetwork& network, const std::string& hosts_directory);

// Throws Error: it is not installed, or does not start.
Pidfd start_dhcp_server(const ManagedNetwork& network, const std::string& directory);

} // namespace nspawn
