#include "network/route_watch.hpp"

#include "base/error.hpp"
#include "linux/link.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <net/if_arp.h>
#include <sys/socket.h>

namespace nspawn {

namespace {

constexpr const char* kDoing = "watching the host's routes";

NetlinkSocket open_changes() {
    NetlinkSocket socket = NetlinkSocket::open().or_throw(kDoing);
    sockaddr_nl groups{};
    groups.nl_family = AF_NETLINK;
    groups.nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    check(bind(socket.fd(), reinterpret_cast<const sockaddr*>(&groups), sizeof groups), "bind").or_throw(kDoing);
    return socket;
}

// 0: no new route, or none that list_routes() would have.
int link_of(const nlmsghdr& message) {
    const std::optional<Route> route =
        message.nlmsg_type == RTM_NEWROUTE ? read_route(message) : std::optional<Route>();
    return route ? route->index : 0;
}

} // namespace

bool is_link_to_container(std::string_view name) { return name.starts_with("ve-") || name.starts_with("vz-"); }

RouteWatch::RouteWatch() : changes_(open_changes()), links_(NetlinkSocket::open().or_throw(kDoing)) {}

bool RouteWatch::is_new(int link, std::span<const std::string> known, std::string_view own) {
    if (link == 0 || passed_over_.contains(link)) {
        return false;
    }
    const Result<Link> found = find_link(links_, link);
    if (!found.ok()) {
        return false; // gone already
    }
    const std::string& name = found.value().name;
    if (found.value().type == ARPHRD_LOOPBACK || name == own || is_link_to_container(name)) {
        passed_over_.insert(link);
        return false;
    }
    return std::find(known.begin(), known.end(), name) == known.end();
}

bool RouteWatch::has_new_way(std::span<const std::string> known, std::string_view own) {
    constexpr int kMost = 1024; // of one turn: what is left is heard in the next one
    constexpr size_t kManyLinks = 4096;
    if (passed_over_.size() > kManyLinks) { // numbers are not used again for long
        passed_over_.clear();
    }
    alignas(NLMSG_ALIGNTO) std::array<uint8_t, 16384>
        buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    for (int turn = 0; turn < kMost; ++turn) {
        const ssize_t got = recv(changes_.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got < 0) {
            return errno == ENOBUFS;
        }
        std::span<const uint8_t> left(buffer.data(), static_cast<size_t>(got));
        while (const nlmsghdr* const message = take_message(left)) {
            if (is_new(link_of(*message), known, own)) {
                return true;
            }
        }
    }
    return false;
}

} // namespace nspawn
