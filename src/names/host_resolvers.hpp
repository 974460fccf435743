// host_resolvers.hpp — the name servers that the host itself asks, as its resolv.conf says right now.
//
// Reads the file again when it has changed. Never asks anybody anything. Source: resolv.conf(5).
#pragma once

#include "linux/ip_address.hpp"

#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

struct Resolver {
    IpAddress address;
    uint32_t scope = 0; // index of the interface that a link-local address is meant on
    uint16_t port = 53;
};

// At most three, as the host's own resolver takes them; without one, the host itself.
std::vector<Resolver> parse_resolvers(std::string_view resolv_conf);

class HostResolvers {
public:
    // `own`: addresses that are never asked, since we are behind them.
    HostResolvers(std::string path, std::vector<IpAddress> own) : path_(std::move(path)), own_(std::move(own)) {}
    std::span<const Resolver> current();

private:
    std::string path_;
    std::vector<IpAddress> own_;
    std::vector<Resolver> resolvers_;
    timespec modified_{};
    uint64_t inode_ = 0;
    bool read_ = false;
};

} // namespace nspawn
