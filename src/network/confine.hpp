// confine.hpp — taking from nspawn-network what it does not need for its work.
//
// Irrevocable. What stays: CAP_NET_ADMIN for the packet filter, CAP_NET_BIND_SERVICE for ports below 1024, and
// CAP_SYS_ADMIN to make sockets in the container's network namespace. With a managed network also CAP_SETUID and
// CAP_SETGID for the name server, which becomes nobody, CAP_KILL to end it, and CAP_NET_RAW for a DHCP server.
// Source: capabilities(7), setns(2), prctl(2).
#pragma once

namespace nspawn {

enum class NetworkDuty { ports, managed };

// Throws Error when the process would keep more than it needs.
void confine_network_worker(NetworkDuty duty);

} // namespace nspawn
