#include "network/address_watch.hpp"

#include "base/error.hpp"

#include <array>
#include <cstring>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <sys/socket.h>

namespace nspawn {

namespace {

// Bound by bind(2): one that is only a member of the groups has the kernel's own number, and hears nothing.
NetlinkSocket open_changes(int container) {
    NetlinkSocket socket = NetlinkSocket::open_in(container).or_throw("watching the container's addresses");
    sockaddr_nl groups{};
    groups.nl_family = AF_NETLINK;
    groups.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_LINK;
    check(bind(socket.fd(), reinterpret_cast<const sockaddr*>(&groups), sizeof groups), "bind")
        .or_throw("watching the container's addresses");
    return socket;
}

struct FoundAddress {
    std::array<uint8_t, sizeof(in6_addr)> bytes{};
    uint32_t link = 0;
    bool found = false;
};

// The address itself: of a link with a peer it is the local one, where the peer's stands beside it.
bool take_address(const nlmsghdr& message, int family, FoundAddress& result) {
    const auto* const header = family_header<ifaddrmsg>(message);
    if (message.nlmsg_type != RTM_NEWADDR || header == nullptr || header->ifa_family != family ||
        header->ifa_scope >= RT_SCOPE_LINK) {
        return false;
    }
    const NetlinkAttributes attributes(message, sizeof *header);
    const uint32_t flags = attributes.number<uint32_t>(IFA_FLAGS).value_or(header->ifa_flags);
    const size_t size = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
    const auto bytes = attributes.bytes(attributes.has(IFA_LOCAL) ? IFA_LOCAL : IFA_ADDRESS);
    // One that is still being tried belongs to somebody else perhaps.
    if (bytes.size() != size || (flags & IFA_F_DADFAILED) != 0 ||
        ((flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0)) {
        return false;
    }
    std::memcpy(result.bytes.data(), bytes.data(), size);
    result.link = header->ifa_index;
    result.found = true;
    return true;
}

} // namespace

AddressWatch::AddressWatch(int container)
    : changes_(open_changes(container)),
      container_(NetlinkSocket::open_in(container).or_throw("looking at the container's addresses")) {}

// Only that there were some matters; too many of them (ENOBUFS) are some, too.
void AddressWatch::forget_changes() const {
    std::array<char, 4096> ignored; // NOLINT(cppcoreguidelines-pro-type-member-init): never read
    for (int turn = 0; turn < 64; ++turn) {
        if (recv(changes_.fd(), ignored.data(), ignored.size(), MSG_DONTWAIT) < 0 && errno == EAGAIN) {
            return;
        }
    }
}

ContainerAddresses AddressWatch::look() {
    forget_changes();
    ContainerAddresses addresses;
    find_first(AF_INET, addresses);
    find_first(AF_INET6, addresses);
    return addresses;
}

void AddressWatch::find_first(int family, ContainerAddresses& addresses) {
    ifaddrmsg wanted{};
    wanted.ifa_family = static_cast<uint8_t>(family);
    FoundAddress first;
    (void)container_.dump(
        NetlinkMessage(RTM_GETADDR, 0, wanted),
        [&](const nlmsghdr& message) {
            if (!first.found) {
                (void)take_address(message, family, first);
            }
        },
        [&] { first = {}; });
    if (!first.found) {
        return;
    }
    const size_t size = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
    const bool on_veth = is_on_veth(first.link);
    if (family == AF_INET) {
        std::memcpy(&addresses.ipv4.emplace(), first.bytes.data(), size);
        addresses.ipv4_on_veth = on_veth;
    } else {
        std::memcpy(&addresses.ipv6.emplace(), first.bytes.data(), size);
        addresses.ipv6_on_veth = on_veth;
    }
}

bool AddressWatch::is_on_veth(uint32_t link) {
    ifinfomsg wanted{};
    wanted.ifi_index = static_cast<int>(link);
    bool veth = false;
    (void)container_.request(NetlinkMessage(RTM_GETLINK, 0, wanted), [&](const nlmsghdr& message) {
        const NetlinkAttributes attributes(message, sizeof(ifinfomsg));
        veth = attributes.nested(IFLA_LINKINFO).text(IFLA_INFO_KIND) == "veth";
    });
    return veth;
}

} // namespace nspawn
