#include "network/reach.hpp"

#include <cstdlib>

#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>

namespace nspawn {

Reach::Reach(int host) : host_(host), routes_(NetlinkSocket::open().or_throw("looking at the host's routes")) {}

size_t Reach::ways() const { return size_t{addresses_.ipv4.has_value()} + size_t{addresses_.ipv6.has_value()}; }

Result<UniqueFd> Reach::make_socket(int family, int type, bool in_container) const {
    if (in_container && setns(container_, CLONE_NEWNET) < 0) {
        return last_error("setns");
    }
    UniqueFd socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const SystemError error = last_error("socket");
    if (in_container && setns(host_, CLONE_NEWNET) < 0) {
        std::abort(); // everything after this would happen in the wrong network
    }
    return socket ? Result<UniqueFd>(std::move(socket)) : Result<UniqueFd>(error);
}

// The host has a route that leads there without a router between: only then is it the container's link that is meant.
bool Reach::is_neighbour(int family, const void* address, size_t size) {
    rtmsg wanted{};
    wanted.rtm_family = static_cast<uint8_t>(family);
    wanted.rtm_dst_len = static_cast<uint8_t>(size * 8);
    NetlinkMessage question(RTM_GETROUTE, 0, wanted);
    question.add_bytes(RTA_DST, address, size);
    bool neighbour = false;
    (void)routes_.request(question, [&](const nlmsghdr& message) {
        const NetlinkAttributes attributes(message, sizeof(rtmsg));
        neighbour = attributes.has(RTA_OIF) && !attributes.has(RTA_GATEWAY);
    });
    return neighbour;
}

namespace {

struct Destination {
    sockaddr_storage address{};
    socklen_t size = 0;
};

Destination destination(const ContainerAddresses& addresses, bool ipv6, uint16_t port) {
    Destination to;
    if (ipv6) {
        auto* const in6 = reinterpret_cast<sockaddr_in6*>(&to.address);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        in6->sin6_addr = *addresses.ipv6;
        to.size = sizeof *in6;
    } else {
        auto* const in = reinterpret_cast<sockaddr_in*>(&to.address);
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        in->sin_addr = *addresses.ipv4;
        to.size = sizeof *in;
    }
    return to;
}

} // namespace

Result<UniqueFd> Reach::open(int type, size_t way, bool prefer_ipv6, uint16_t port) {
    if (way >= ways()) {
        return SystemError{ENOENT, "connect"};
    }
    const bool has_preferred = prefer_ipv6 ? addresses_.ipv6.has_value() : addresses_.ipv4.has_value();
    const bool ipv6 = (way == 0) == has_preferred ? prefer_ipv6 : !prefer_ipv6;
    const bool from_host = ipv6 ? addresses_.ipv6_on_veth && is_neighbour(AF_INET6, &*addresses_.ipv6, sizeof(in6_addr))
                                : addresses_.ipv4_on_veth && is_neighbour(AF_INET, &*addresses_.ipv4, sizeof(in_addr));
    Result<UniqueFd> socket = make_socket(ipv6 ? AF_INET6 : AF_INET, type, !from_host);
    if (!socket.ok()) {
        return socket;
    }
    if (type == SOCK_STREAM) {
        const int tries = 3; // some 15 seconds: whoever waits is on this machine and so is the container
        (void)setsockopt(socket.value().get(), IPPROTO_TCP, TCP_SYNCNT, &tries, sizeof tries);
    }
    const Destination to = destination(addresses_, ipv6, port);
    if (connect(socket.value().get(), reinterpret_cast<const sockaddr*>(&to.address), to.size) < 0 &&
        errno != EINPROGRESS) {
        return last_error("connect");
    }
    return socket;
}

} // namespace nspawn
