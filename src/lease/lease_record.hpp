// lease_record.hpp — what is written down about a machine's addresses, as text.
//
// Pure. One file of lines "KEY=VALUE" for each machine that runs with addresses that are known from outside; readers
// skip keys that they do not know, and refuse a file that is larger, longer or stranger than we would write it.
#pragma once

#include "linux/ip_address.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

inline constexpr size_t kLargestLease = 4096;

struct LeaseRecord {
    std::string machine;
    std::string link;               // the host's interface that the gateway's addresses are on: a veth or a bridge
    uint64_t network_namespace = 0; // inode of the one that `link` is in
    std::vector<IpAddress> gateways;
    std::vector<IpPrefix> addresses; // the container's, each with the length of its subnet
};

std::string lease_as_text(const LeaseRecord& record);
std::optional<LeaseRecord> parse_lease(std::string_view text);

} // namespace nspawn
