// managed_rules.hpp — the packet filter's rules for one managed network, as text for nft(8).
//
// One table of our own for each link, "io.nspawn-LINK": what leaves the host goes under the host's address, what comes
// in is an answer or a published port, and members use no addresses but their network's. Rules are by the link's name,
// so that they can be there before it is. Pure. Source: nft(8), what NAT on Linux does by itself: conntrack(8).
#pragma once

#include "linux/ip_address.hpp"

#include <span>
#include <string>
#include <vector>

namespace nspawn {

struct ManagedRules {
    std::string link;
    std::vector<IpPrefix> networks;  // of the link
    std::vector<std::string> opened; // interfaces that forward only because of us
};

std::string managed_table(const std::string& link);
// One transaction. `owned`: the table vanishes with whoever made it (Linux 5.12).
std::string make_managed_table(const ManagedRules& rules, bool owned);
std::string delete_managed_table(const std::string& link);

} // namespace nspawn
