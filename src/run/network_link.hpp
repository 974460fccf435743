// network_link.hpp — one interface of the container: made, named, addressed, or the reason why not.
//
// Owns nothing: what is made here lies in the container's network namespace, or goes with it. Every failure says which
// interface, what the kernel said, and what to do. Source: rtnetlink(7), systemd-nspawn(1) "Networking Options".
#pragma once

#include "linux/link.hpp"
#include "plan/network_plan.hpp"

#include <functional>

namespace nspawn {

// Throws what there is to say about a refusal.
[[noreturn]] void throw_link_failure(const NetlinkSocket& socket, int code, std::string_view what);

// The bridge that is asked for. Throws when there is none of this name.
Link find_bridge(NetlinkSocket& socket, const std::string& name);
// The host's interface that a link is made of or on; udev must have finished with it where udev runs.
Link find_parent(NetlinkSocket& socket, const PlannedLink& link);

// A pair, the host's end a member of the bridge with this index (0: of none). `is_running`: whether another run of this
// machine is alive; what is left of one that is not gives way.
void make_pair(NetlinkSocket& socket, const PlannedLink& link, int bridge, int network_namespace,
               const std::function<bool()>& is_running);
void make_on_parent(NetlinkSocket& socket, const PlannedLink& link, int network_namespace);
// What is set from inside: alternative names, addresses and routes. `socket` is in the container's network namespace.
bool has_inner_part(const PlannedLink& link);
void set_up_inside(NetlinkSocket& socket, const PlannedLink& link);

} // namespace nspawn
