#include "config/managed_network.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <sys/socket.h>

namespace nspawn {

namespace {

// A /30 has room for the gateway and one container; an IPv6 network has to hold the same places as an IPv4 one.
constexpr unsigned kShortestIpv4 = 8;
constexpr unsigned kLongestIpv4 = 30;
constexpr unsigned kShortestIpv6 = 16;
constexpr unsigned kLongestIpv6 = 96;

void check_pool(const IpPrefix& pool) {
    const bool ipv4 = pool.address.family == AF_INET;
    const unsigned shortest = ipv4 ? kShortestIpv4 : kShortestIpv6;
    const unsigned longest = ipv4 ? kLongestIpv4 : kLongestIpv6;
    if (pool.length < shortest || pool.length > longest) {
        throw Error(fmt::format("{}: the length of an {} pool is {} to {}", format_ip_prefix(pool),
                                ipv4 ? "IPv4" : "IPv6", shortest, longest));
    }
    const std::string_view problem = problem_of_address(pool.address);
    const bool link_local = !ipv4 && is_link_local(pool.address);
    if (!problem.empty() || link_local) {
        throw Error(fmt::format("{}: containers cannot have addresses of it: {} {}", format_ip_prefix(pool),
                                format_ip_address(pool.address), link_local ? "is a link-local address" : problem));
    }
    if (network_of(pool) != pool) {
        throw Error(fmt::format("{} is an address in a network, not a network (did you mean {}?)",
                                format_ip_prefix(pool), format_ip_prefix(network_of(pool))));
    }
}

} // namespace

ManagedMode parse_managed_mode(std::string_view text) {
    for (size_t i = 0; i < std::size(kManagedWords); ++i) {
        if (text == kManagedWords[i]) {
            return static_cast<ManagedMode>(i);
        }
    }
    const std::optional<bool> choice = parse_boolean(text);
    if (!choice) {
        throw Error("neither a boolean nor auto or dhcp");
    }
    return *choice ? ManagedMode::yes : ManagedMode::no;
}

std::string_view to_word(ManagedMode mode) { return kManagedWords[static_cast<size_t>(mode)]; }

void add_address_pools(AddressPools& pools, std::string_view text) {
    for (const std::string_view word : split_any(text, ", \t")) {
        const auto pool = word.find('/') == std::string_view::npos ? std::nullopt : parse_ip_prefix(word);
        if (!pool) {
            throw Error(fmt::format("{} is no network (ADDRESS/LENGTH)", printable(word)));
        }
        check_pool(*pool);
        (pool->address.family == AF_INET ? pools.ipv4 : pools.ipv6) = *pool;
    }
}

} // namespace nspawn
