#include "linux/lent_link.hpp"

#include "base/text.hpp"

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

Result<void> lend_link(NetlinkSocket& socket, const LentLink& link, int network_namespace) {
    return change_link(socket, link.index, {.name = link.name, .network_namespace = network_namespace});
}

namespace {

// By number, which it keeps as long as no other has it, or else by name.
Result<Link> find_lent(NetlinkSocket& socket, const LentLink& link) {
    const auto is_it = [&](const Result<Link>& found) {
        return found.ok() && (!link.mac || found.value().mac == link.mac);
    };
    Result<Link> by_number = find_link(socket, link.index);
    if (is_it(by_number)) {
        return by_number;
    }
    Result<Link> by_name = find_link(socket, link.name);
    return is_it(by_name) ? std::move(by_name) : SystemError{ENODEV, "netlink"};
}

} // namespace

Result<void> take_link_back(const LentLink& link, int from_namespace, int own_namespace) {
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
    const LinkChange renamed{.name = "dev%d", .network_namespace = own_namespace};
    const Result<void> forced = change_link(socket.value(), found.value().index, renamed);
    return forced.ok() ? moved : forced;
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
    if (found.value().name == link.host_name) {
        return {};
    }
    return change_link(socket.value(), found.value().index, {.name = link.host_name});
}

} // namespace nspawn
