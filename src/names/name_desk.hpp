// name_desk.hpp — decides who answers a question: ourselves, from the leases of one link, or the host's name servers.
//
// Owns what is known of the moment: the link's living machines, looked at again when the directory of leases has
// changed and once a second, and the host's servers. Sends and receives nothing.
#pragma once

#include "names/host_resolvers.hpp"
#include "names/local_names.hpp"

#include <chrono>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

namespace nspawn {

struct NameDeskOptions {
    std::string link;
    uint64_t network_namespace = 0; // that the link is in
    std::vector<IpPrefix> gateways; // the host's addresses on the link, each with the length of its network
    std::string lease_directory;
    std::string resolv_conf;
    uint16_t resolver_port = 53;
};

class NameDesk {
public:
    using Clock = std::chrono::steady_clock;

    explicit NameDesk(const NameDeskOptions& options);

    // The answer, if it is ours to give; "malformed" and its like too. An empty one: say nothing at all.
    std::optional<std::vector<uint8_t>> answer(Bytes message, const std::optional<DnsQuery>& query,
                                               Clock::time_point now);
    std::span<const Resolver> resolvers() { return resolvers_.current(); }
    [[nodiscard]] uint16_t resolver_port() const { return resolver_port_; }

private:
    void look_at_leases(Clock::time_point now);

    std::string link_;
    uint64_t network_namespace_;
    std::string lease_directory_;
    uint16_t resolver_port_;
    LocalNames names_;
    HostResolvers resolvers_;
    timespec modified_{};
    Clock::time_point looked_{};
};

} // namespace nspawn
