// service.hpp — one thing that nspawn-network does for a container: publishing ports, for example.
//
// To add a service: a keyword in NetworkRequest (config/network_message.hpp), a class here derived from Service, a line
// in make_services() of worker.cpp. A service gets its surroundings by reference and keeps them for its whole life. It
// waits only in the event loop (with more than a few descriptors: an epoll of its own, watched as one), and takes back
// in end() all that it made. What outlives a SIGKILL of the worker has to be in the PortRegistry's records or vanish by
// itself.
#pragma once

#include "linux/event_loop.hpp"

#include <optional>
#include <string_view>

#include <netinet/in.h>

namespace nspawn {

// Lines for the user, by way of nspawn.
class Reporter {
public:
    virtual ~Reporter() = default;
    virtual void notice(std::string_view text) = 0;
    virtual void warning(std::string_view text) = 0;
};

// Where the container can be reached: its first addresses that are not only for its own link.
struct ContainerAddresses {
    std::optional<in_addr> ipv4;
    std::optional<in6_addr> ipv6;
    bool ipv4_on_veth = false; // a link whose other end is outside: where the host may have a way to it
    bool ipv6_on_veth = false;
};
bool operator==(const ContainerAddresses& a, const ContainerAddresses& b);

class Service {
public:
    virtual ~Service() = default;
    // All that can be done before there is a container, while nspawn makes one. Throws Error: the start fails.
    virtual void begin() = 0;
    // `container`: its network namespace, open as long as the service lives. Throws Error: the start fails.
    virtual void enter(int container) = 0;
    // The payload may run: what is nobody's precondition, such as looking for conflicts.
    virtual void settled() {}
    // Also called once after enter(). Failures are warnings from now on.
    virtual void addresses_changed(const ContainerAddresses& addresses) = 0;
    // Takes back everything. The container may be gone already. Never throws.
    virtual void end() = 0;
};

struct Surroundings {
    EventLoop& loop;
    Reporter& reporter;
};

} // namespace nspawn
