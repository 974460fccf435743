#include "linux/lent_link.hpp"

#include "base/text.hpp"
#include "linux/wireless.hpp"

#include <fmt/format.h>

#include <net/if.h>

namespace nspawn {

std::string LentLink::text() const {
    return fmt::format("{}:{}:{}:{}:{}", host_name, name, index, hardware ? 1 : 0,
                       mac ? fmt::format("{:02x}", fmt::join(*mac, "-")) : "");
}

std::optional<LentLink> LentLink::parse(std::string_view text) {
    constexpr size_t kFields = 5;
    const std::vector<std::string_view> fields = split(text, ':');
    if (fields.size() != kFields) {
        return std::nullopt;
    }
    const auto index = parse_unsigned(fields[2]);
    if (!index || *index == 0 || *index > INT32_MAX || fields[0].empty() || fields[0].size() >= IFNAMSIZ) {
        return std::nullopt;
    }
    LentLink link;
    link.host_name = fields[0];
    link.name = fields[1];
    link.index = static_cast<int>(*index);
    link.hardware = fields[3] == "1";
    link.mac = parse_mac_address(fields[4]);
    return link;
}

namespace {

// By number, which it keeps as long as no other has it, or else by name.
template <typename IsIt>
Result<Link> find_by(NetlinkSocket& socket, const LentLink& link, IsIt&& is_it) {
    Result<Link> by_number = find_link(socket, link.index);
    if (by_number.ok() && is_it(by_number.value())) {
        return by_number;
    }
    Result<Link> by_name = find_link(socket, link.name);
    return by_name.ok() && is_it(by_name.value()) ? std::move(by_name) : SystemError{ENODEV, "netlink"};
}

Result<Link> find_lent(NetlinkSocket& socket, const LentLink& link) {
    return find_by(socket, link, [&](const Link& found) {
        return !link.mac || found.mac == link.mac || found.permanent_mac == link.mac;
    });
}

Result<void> rename(NetlinkSocket& socket, const Link& link, const std::string& name) {
    return link.name == name ? Result<void>() : change_link(socket, link.index, {.name = name});
}

// Where the radio is by now: which of its interfaces it is, and called so.
Result<void> name_with_radio(Result<Wireless> wireless, Result<NetlinkSocket> socket, const LentLink& link,
                             const std::string& name) {
    if (!wireless.ok() || !socket.ok()) {
        return wireless.ok() ? socket.system_error() : wireless.system_error();
    }
    const Result<Link> found = find_by(socket.value(), link, [&](const Link& each) {
        return wireless.value().radio_of(each.index).value_or(~*link.radio) == *link.radio;
    });
    return found.ok() ? rename(socket.value(), found.value(), name) : Result<void>(found.system_error());
}

// ENODEV is fine: it has gone already with another interface of the same radio.
Result<void> move_radio_of(const LentLink& link, Result<Wireless> from, int network_namespace) {
    const Result<void> moved =
        from.ok() ? from.value().move_radio(*link.radio, network_namespace) : Result<void>(from.system_error());
    return moved.error() == ENODEV ? Result<void>() : moved;
}

Result<void> take_radio_back(const LentLink& link, int from_namespace, int own_namespace) {
    const Result<void> moved = move_radio_of(link, Wireless::open_in(from_namespace), own_namespace);
    return moved.ok() ? name_with_radio(Wireless::open(), NetlinkSocket::open(), link, link.host_name) : moved;
}

Result<void> lend_radio(const LentLink& link, int network_namespace, int own_namespace) {
    const Result<void> moved = move_radio_of(link, Wireless::open(), network_namespace);
    if (!moved.ok()) {
        return moved;
    }
    const Result<void> named = name_with_radio(Wireless::open_in(network_namespace),
                                               NetlinkSocket::open_in(network_namespace), link, link.name);
    if (!named.ok()) {
        (void)take_radio_back(link, network_namespace, own_namespace); // what has gone wrong first is what is said
    }
    return named;
}

} // namespace

Result<void> lend_link(NetlinkSocket& socket, const LentLink& link, int network_namespace, int own_namespace) {
    if (link.radio) {
        return lend_radio(link, network_namespace, own_namespace);
    }
    return change_link(socket, link.index, {.name = link.name, .network_namespace = network_namespace});
}

Result<void> take_link_back(const LentLink& link, int from_namespace, int own_namespace) {
    if (link.radio) {
        return take_radio_back(link, from_namespace, own_namespace);
    }
    Result<NetlinkSocket> socket = NetlinkSocket::open_in(from_namespace);
    if (!socket.ok()) {
        return socket.system_error();
    }
    // The payload may have given it another hardware address.
    LentLink wanted = link;
    wanted.mac.reset();
    const Result<Link> found = find_lent(socket.value(), wanted);
    if (!found.ok()) {
        return found.system_error();
    }
    const LinkChange back{.name = link.host_name, .network_namespace = own_namespace};
    const Result<void> moved = change_link(socket.value(), found.value().index, back);
    if (moved.error() != EEXIST) {
        return moved;
    }
    // Where only the renaming after the move has failed, it is back already, with the name that it had there (ENODEV).
    const LinkChange renamed{.name = "dev%d", .network_namespace = own_namespace};
    const Result<void> forced = change_link(socket.value(), found.value().index, renamed);
    return forced.ok() || forced.error() == ENODEV ? moved : forced;
}

Result<void> reclaim_lent_link(const LentLink& link) {
    Result<NetlinkSocket> socket = NetlinkSocket::open();
    if (!socket.ok()) {
        return socket.system_error();
    }
    const Result<Link> found = find_lent(socket.value(), link);
    if (!found.ok()) {
        return SystemError{link.hardware ? EBUSY : ENOTSUP, "netlink"};
    }
    return rename(socket.value(), found.value(), link.host_name);
}

} // namespace nspawn
