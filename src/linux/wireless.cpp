#include "linux/wireless.hpp"

#include <linux/genetlink.h>
#include <linux/nl80211.h>
#include <unistd.h>

namespace nspawn {

namespace {

// There as soon as the kernel's part for wireless devices is. To ask for the family by its name would load it.
constexpr const char* kRadios = "/sys/class/ieee80211";

genlmsghdr header_of(uint8_t command) {
    genlmsghdr header{};
    header.cmd = command;
    header.version = 1;
    return header;
}

// One number of the answer.
template <typename Number>
Result<Number> ask(NetlinkSocket& socket, const NetlinkMessage& question, int attribute) {
    std::optional<Number> number;
    const Result<void> done = socket.request(question, [&](const nlmsghdr& answer) {
        number = NetlinkAttributes(answer, sizeof(genlmsghdr)).number<Number>(attribute);
    });
    if (!done.ok()) {
        return done.system_error();
    }
    return number ? Result<Number>(*number) : Result<Number>(SystemError{ENODEV, "netlink"});
}

} // namespace

NetlinkMessage wireless_family_question() {
    NetlinkMessage message(GENL_ID_CTRL, 0, header_of(CTRL_CMD_GETFAMILY));
    message.add_text(CTRL_ATTR_FAMILY_NAME, NL80211_GENL_NAME);
    return message;
}

NetlinkMessage radio_question(uint16_t family, int link) {
    NetlinkMessage message(family, 0, header_of(NL80211_CMD_GET_INTERFACE));
    message.add_number(NL80211_ATTR_IFINDEX, static_cast<uint32_t>(link));
    return message;
}

NetlinkMessage radio_move(uint16_t family, uint32_t radio, int network_namespace) {
    NetlinkMessage message(family, 0, header_of(NL80211_CMD_SET_WIPHY_NETNS));
    message.add_number(NL80211_ATTR_WIPHY, radio);
    message.add_number(NL80211_ATTR_NETNS_FD, static_cast<uint32_t>(network_namespace));
    return message;
}

Result<Wireless> Wireless::with(Result<NetlinkSocket> socket) {
    if (!socket.ok()) {
        return socket.system_error();
    }
    const Result<uint16_t> family = ask<uint16_t>(socket.value(), wireless_family_question(), CTRL_ATTR_FAMILY_ID);
    if (!family.ok()) {
        return family.system_error();
    }
    return Wireless(std::move(socket).value(), family.value());
}

Result<Wireless> Wireless::open() { return with(NetlinkSocket::open(NETLINK_GENERIC)); }

Result<Wireless> Wireless::open_in(int network_namespace) {
    return with(NetlinkSocket::open_in(network_namespace, NETLINK_GENERIC));
}

Result<uint32_t> Wireless::radio_of(int link) {
    return ask<uint32_t>(socket_, radio_question(family_, link), NL80211_ATTR_WIPHY);
}

Result<void> Wireless::move_radio(uint32_t radio, int network_namespace) {
    return socket_.request(radio_move(family_, radio, network_namespace));
}

Result<std::optional<uint32_t>> radio_of_link(int link) {
    using Answer = Result<std::optional<uint32_t>>;
    if (access(kRadios, F_OK) < 0) {
        return Answer(std::nullopt);
    }
    Result<Wireless> wireless = Wireless::open();
    const Result<uint32_t> radio =
        wireless.ok() ? wireless.value().radio_of(link) : Result<uint32_t>(wireless.system_error());
    if (radio.ok()) {
        return Answer(radio.value());
    }
    const bool wired = radio.error() == ENODEV || radio.error() == ENOENT;
    return wired ? Answer(std::nullopt) : Answer(radio.system_error());
}

} // namespace nspawn
