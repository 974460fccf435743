#include "linux/link.hpp"

#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>

namespace nspawn {

namespace {

std::optional<Link> read_link(const nlmsghdr& message) {
    const auto* const header = family_header<ifinfomsg>(message);
    if (header == nullptr) {
        return std::nullopt;
    }
    const NetlinkAttributes attributes(message, sizeof *header);
    Link link;
    link.index = header->ifi_index;
    link.flags = header->ifi_flags;
    link.type = header->ifi_type;
    link.name = attributes.text(IFLA_IFNAME);
    attributes.nested(IFLA_PROP_LIST).each([&](const nlattr& each) {
        if ((each.nla_type & NLA_TYPE_MASK) == IFLA_ALT_IFNAME) {
            link.alternative_names.emplace_back(attribute_text(each));
        }
    });
    link.kind = attributes.nested(IFLA_LINKINFO).text(IFLA_INFO_KIND);
    link.master = attributes.number<int>(IFLA_MASTER).value_or(0);
    link.peer = attributes.number<int>(IFLA_LINK).value_or(0);
    link.peer_namespace = attributes.number<int>(IFLA_LINK_NETNSID);
    link.mac = attributes.number<MacAddress>(IFLA_ADDRESS);
    link.permanent_mac = attributes.number<MacAddress>(IFLA_PERM_ADDRESS);
    return link;
}

// So that the answer does not count every packet of every virtual function.
constexpr uint32_t kBrief = RTEXT_FILTER_SKIP_STATS;

Result<Link> get_link(NetlinkSocket& socket, const NetlinkMessage& message) {
    std::optional<Link> found;
    const Result<void> done = socket.request(message, [&](const nlmsghdr& answer) {
        if (answer.nlmsg_type == RTM_NEWLINK) {
            found = read_link(answer);
        }
    });
    if (!done.ok()) {
        return done.system_error();
    }
    return found ? Result<Link>(std::move(*found)) : Result<Link>(SystemError{ENODEV, "netlink"});
}

void describe(NetlinkMessage& message, const NewLink& link) {
    message.add_text(IFLA_IFNAME, link.name);
    if (link.mac) {
        message.add_number(IFLA_ADDRESS, *link.mac);
    }
    if (link.network_namespace >= 0) {
        message.add_number(IFLA_NET_NS_FD, static_cast<uint32_t>(link.network_namespace));
    }
    if (link.master != 0) {
        message.add_number(IFLA_MASTER, static_cast<uint32_t>(link.master));
    }
}

ifinfomsg header_of(const NewLink& link) {
    ifinfomsg header{};
    header.ifi_flags = link.up ? IFF_UP : 0;
    header.ifi_change = link.up ? IFF_UP : 0;
    return header;
}

constexpr unsigned kMake = NLM_F_CREATE | NLM_F_EXCL;

// Of the kinds that are one link: `fill` adds what only this kind has.
template <typename Fill>
Result<void> make_link(NetlinkSocket& socket, const NewLink& link, const char* kind, int parent, Fill&& fill) {
    NetlinkMessage message(RTM_NEWLINK, kMake, header_of(link));
    describe(message, link);
    if (parent != 0) {
        message.add_number(IFLA_LINK, static_cast<uint32_t>(parent));
    }
    {
        const NetlinkMessage::Nest info(message, IFLA_LINKINFO);
        message.add_text(IFLA_INFO_KIND, kind);
        NetlinkMessage::Nest data(message, IFLA_INFO_DATA);
        fill(data);
    }
    return socket.request(message);
}

} // namespace

Result<Link> find_link(NetlinkSocket& socket, std::string_view name) {
    NetlinkMessage message(RTM_GETLINK, 0, ifinfomsg{});
    message.add_text(name.size() < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME, name);
    message.add_number(IFLA_EXT_MASK, kBrief);
    Result<Link> found = get_link(socket, message);
    if (found.error() != ENODEV || name.size() >= IFNAMSIZ) {
        return found;
    }
    NetlinkMessage again(RTM_GETLINK, 0, ifinfomsg{}); // a short alternative name
    again.add_text(IFLA_ALT_IFNAME, name);
    again.add_number(IFLA_EXT_MASK, kBrief);
    return get_link(socket, again);
}

Result<Link> find_link(NetlinkSocket& socket, int index) {
    ifinfomsg header{};
    header.ifi_index = index;
    NetlinkMessage message(RTM_GETLINK, 0, header);
    message.add_number(IFLA_EXT_MASK, kBrief);
    return get_link(socket, message);
}

Result<std::vector<Link>> list_links(NetlinkSocket& socket, int master) {
    std::vector<Link> links;
    NetlinkMessage message(RTM_GETLINK, 0, ifinfomsg{});
    message.add_number(IFLA_EXT_MASK, kBrief);
    if (master != 0) {
        message.add_number(IFLA_MASTER, static_cast<uint32_t>(master));
    }
    const auto keep = [&](const nlmsghdr& answer) {
        std::optional<Link> link = read_link(answer);
        if (link && (master == 0 || link->master == master)) { // kernels before 4.20 list them all
            links.push_back(std::move(*link));
        }
    };
    const Result<void> done = socket.dump(message, keep, [&] { links.clear(); });
    return done.ok() ? Result<std::vector<Link>>(std::move(links)) : done.system_error();
}

Result<void> make_veth(NetlinkSocket& socket, const NewLink& link, const NewLink& peer) {
    return make_link(socket, link, "veth", 0, [&](NetlinkMessage::Nest& data) {
        NetlinkMessage& message = data.message();
        NetlinkMessage::Nest other(message, VETH_INFO_PEER);
        const ifinfomsg header = header_of(peer);
        other.add_header(&header, sizeof header);
        describe(message, peer);
    });
}

Result<void> make_bridge(NetlinkSocket& socket, const NewLink& link) {
    return make_link(socket, link, "bridge", 0, [](NetlinkMessage::Nest&) {});
}

Result<void> make_macvlan(NetlinkSocket& socket, const NewLink& link, int parent) {
    return make_link(socket, link, "macvlan", parent, [](NetlinkMessage::Nest& data) {
        data.message().add_number(IFLA_MACVLAN_MODE, static_cast<uint32_t>(MACVLAN_MODE_BRIDGE));
    });
}

Result<void> make_ipvlan(NetlinkSocket& socket, const NewLink& link, int parent) {
    return make_link(socket, link, "ipvlan", parent, [](NetlinkMessage::Nest& data) {
        data.message().add_number(IFLA_IPVLAN_MODE, static_cast<uint16_t>(IPVLAN_MODE_L2));
    });
}

Result<void> change_link(NetlinkSocket& socket, int index, const LinkChange& change) {
    ifinfomsg header{};
    header.ifi_index = index;
    if (change.up) {
        header.ifi_flags = *change.up ? IFF_UP : 0;
        header.ifi_change = IFF_UP;
    }
    NetlinkMessage message(change.network_namespace >= 0 ? RTM_SETLINK : RTM_NEWLINK, 0, header);
    if (!change.name.empty()) {
        message.add_text(IFLA_IFNAME, change.name);
    }
    if (change.network_namespace >= 0) {
        message.add_number(IFLA_NET_NS_FD, static_cast<uint32_t>(change.network_namespace));
    }
    if (change.master) {
        message.add_number(IFLA_MASTER, static_cast<uint32_t>(*change.master));
    }
    return socket.request(message);
}

Result<void> add_alternative_name(NetlinkSocket& socket, std::string_view link, std::string_view name) {
    NetlinkMessage message(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, ifinfomsg{});
    message.add_text(IFLA_IFNAME, link);
    {
        const NetlinkMessage::Nest list(message, IFLA_PROP_LIST);
        message.add_text(IFLA_ALT_IFNAME, name);
    }
    return socket.request(message);
}

Result<void> delete_link(NetlinkSocket& socket, int index) {
    ifinfomsg header{};
    header.ifi_index = index;
    return socket.request(NetlinkMessage(RTM_DELLINK, 0, header));
}

} // namespace nspawn
