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

// One that nspawn did not choose: it was given to the container with --network=.
struct FixedAddress {
    std::string link; // as LeaseRecord::link
    IpPrefix prefix;

    bool operator==(const FixedAddress&) const = default;
};

struct LeaseRecord {
    std::string machine;
    // The host's interface that the gateway's addresses are on: a veth or a bridge. Empty: there are fixed ones only.
    std::string link;
    uint64_t network_namespace = 0; // inode of the one that `link` is in
    std::vector<IpAddress> gateways;
    std::vector<IpPrefix> addresses; // the container's, each with the length of its subnet
    std::vector<FixedAddress> fixed = {};

    // It has addresses of ours, on `link`.
    [[nodiscard]] bool is_managed() const { return !link.empty(); }
};

inline constexpr size_t kMostLeasedAddresses = 16; // of each sort; more are not written down

// The container's on that interface of the host, or all it has.
std::vector<IpAddress> addresses_on_link(const LeaseRecord& record, std::string_view link);
std::vector<IpAddress> all_addresses(const LeaseRecord& record);

std::string lease_as_text(const LeaseRecord& record);
std::optional<LeaseRecord> parse_lease(std::string_view text);

} // namespace nspawn
