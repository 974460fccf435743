// Addresses and routes of links.
#include "linux/link.hpp"

#include <cstring>

#include <linux/if_addr.h>
#include <sys/socket.h>

namespace nspawn {

namespace {

ifaddrmsg header_of(const LinkAddress& address) {
    ifaddrmsg header{};
    header.ifa_family = static_cast<unsigned char>(address.prefix.address.family);
    header.ifa_prefixlen = static_cast<unsigned char>(address.prefix.length);
    header.ifa_scope = address.scope;
    header.ifa_index = static_cast<unsigned>(address.index);
    return header;
}

void add_ip(NetlinkMessage& message, int attribute, const IpAddress& address) {
    message.add_bytes(attribute, address.octets.data(), address.size());
}

std::optional<IpAddress> read_ip(const NetlinkAttributes& attributes, int attribute, int family) {
    IpAddress address{.family = family};
    const std::span<const uint8_t> data = attributes.bytes(attribute);
    if (address.size() == 0 || data.size() != address.size()) {
        return std::nullopt;
    }
    std::memcpy(address.octets.data(), data.data(), data.size());
    return address;
}

Result<void> change_address(NetlinkSocket& socket, uint16_t type, unsigned flags, const LinkAddress& address) {
    NetlinkMessage message(type, flags, header_of(address));
    add_ip(message, IFA_LOCAL, address.prefix.address);
    add_ip(message, IFA_ADDRESS, address.prefix.address);
    if (type == RTM_NEWADDR) {
        const unsigned at_once = address.prefix.address.family == AF_INET6 ? IFA_F_NODAD : 0U;
        message.add_number(IFA_FLAGS, static_cast<uint32_t>(address.flags | at_once));
        const unsigned host_bits = address.prefix.address.bits() - address.prefix.length;
        if (address.prefix.address.family == AF_INET && host_bits > 1) {
            IpAddress broadcast = address.prefix.address;
            for (unsigned bit = address.prefix.length; bit < broadcast.bits(); ++bit) {
                broadcast.octets[bit / 8] = static_cast<uint8_t>(broadcast.octets[bit / 8] | (0x80U >> (bit % 8)));
            }
            add_ip(message, IFA_BROADCAST, broadcast);
        }
    }
    return socket.request(message);
}

std::optional<LinkAddress> read_address(const nlmsghdr& message) {
    const auto* const header = family_header<ifaddrmsg>(message);
    if (header == nullptr) {
        return std::nullopt;
    }
    const NetlinkAttributes attributes(message, sizeof *header);
    std::optional<IpAddress> ip = read_ip(attributes, IFA_LOCAL, header->ifa_family);
    if (!ip) {
        ip = read_ip(attributes, IFA_ADDRESS, header->ifa_family); // IPv6 says IFA_LOCAL only of a point to point link
    }
    if (!ip) {
        return std::nullopt;
    }
    return LinkAddress{.index = static_cast<int>(header->ifa_index),
                       .prefix = {*ip, header->ifa_prefixlen},
                       .scope = header->ifa_scope,
                       .flags = attributes.number<uint32_t>(IFA_FLAGS).value_or(header->ifa_flags)};
}

template <typename Item, typename Header>
Result<std::vector<Item>> list(NetlinkSocket& socket, uint16_t type, std::optional<Item> (*read)(const nlmsghdr&)) {
    std::vector<Item> items;
    const Result<void> done = socket.dump(
        NetlinkMessage(type, 0, Header{}),
        [&](const nlmsghdr& answer) {
            if (std::optional<Item> item = read(answer)) {
                items.push_back(std::move(*item));
            }
        },
        [&] { items.clear(); });
    return done.ok() ? Result<std::vector<Item>>(std::move(items)) : done.system_error();
}

} // namespace

Result<void> add_address(NetlinkSocket& socket, const LinkAddress& address) {
    return change_address(socket, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address);
}

Result<void> remove_address(NetlinkSocket& socket, const LinkAddress& address) {
    return change_address(socket, RTM_DELADDR, 0, address);
}

Result<std::vector<LinkAddress>> list_addresses(NetlinkSocket& socket) {
    return list<LinkAddress, ifaddrmsg>(socket, RTM_GETADDR, read_address);
}

Result<void> add_route(NetlinkSocket& socket, const Route& route) {
    rtmsg header{};
    header.rtm_family = static_cast<unsigned char>(route.destination.address.family);
    header.rtm_dst_len = static_cast<unsigned char>(route.destination.length);
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = RTPROT_STATIC;
    header.rtm_type = RTN_UNICAST;
    header.rtm_scope = route.gateway || header.rtm_family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    header.rtm_flags = route.gateway_on_link ? RTNH_F_ONLINK : 0;
    NetlinkMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, header);
    if (route.destination.length != 0) {
        add_ip(message, RTA_DST, route.destination.address);
    }
    if (route.gateway) {
        add_ip(message, RTA_GATEWAY, *route.gateway);
    }
    message.add_number(RTA_OIF, static_cast<uint32_t>(route.index));
    if (route.metric != 0) {
        message.add_number(RTA_PRIORITY, route.metric);
    }
    return socket.request(message);
}

std::optional<Route> read_route(const nlmsghdr& message) {
    const auto* const header = family_header<rtmsg>(message);
    if (header == nullptr) {
        return std::nullopt;
    }
    const NetlinkAttributes attributes(message, sizeof *header);
    if (header->rtm_table != RT_TABLE_MAIN || header->rtm_type != RTN_UNICAST) {
        return std::nullopt;
    }
    Route route;
    route.destination.length = header->rtm_dst_len;
    route.destination.address =
        read_ip(attributes, RTA_DST, header->rtm_family).value_or(IpAddress{.family = header->rtm_family});
    route.gateway = read_ip(attributes, RTA_GATEWAY, header->rtm_family);
    route.index = attributes.number<int>(RTA_OIF).value_or(0);
    route.metric = attributes.number<uint32_t>(RTA_PRIORITY).value_or(0);
    route.gateway_on_link = (header->rtm_flags & RTNH_F_ONLINK) != 0;
    return route;
}

Result<std::vector<Route>> list_routes(NetlinkSocket& socket) {
    return list<Route, rtmsg>(socket, RTM_GETROUTE, read_route);
}

} // namespace nspawn
