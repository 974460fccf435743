// route_watch.hpp — tells when packets may leave the host by an interface by which they did not before.
//
// Owns a socket that hears of new routes. Cheap for those of containers, of which a busy host has many: their links are
// asked for once. Changes nothing. Source: rtnetlink(7).
#pragma once

#include "linux/netlink.hpp"

#include <set>
#include <span>
#include <string>

namespace nspawn {

class RouteWatch {
public:
    // Hears what comes from now on. Throws Error.
    RouteWatch();

    // Readable when something has come.
    [[nodiscard]] int fd() const { return changes_.fd(); }
    // Takes what has come. True: there is a route by an interface that is none of `known`, nor `own`, nor a
    // container's; also when more came than could be kept.
    bool has_new_way(std::span<const std::string> known, std::string_view own);

private:
    bool is_new(int link, std::span<const std::string> known, std::string_view own);

    NetlinkSocket changes_;
    NetlinkSocket links_;
    std::set<int> passed_over_; // numbers of links that are no way out
};

// What its name says: an interface that leads to containers, which have somebody who looks after them.
bool is_link_to_container(std::string_view name);

} // namespace nspawn
