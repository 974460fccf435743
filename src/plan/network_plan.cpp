#include "plan/network_plan.hpp"

#include "base/error.hpp"
#include "base/siphash.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <net/if.h>

namespace nspawn {

namespace {

constexpr size_t kLongestName = IFNAMSIZ - 1;
constexpr size_t kLongestAlternativeName = 127;

constexpr SipHashKey kNameKey = {0xe1, 0x90, 0xa4, 0x04, 0xa8, 0xef, 0x4b, 0x51,
                                 0x8c, 0xcc, 0xc3, 0x3a, 0x9f, 0x11, 0xfc, 0xa2};

// In the order of MacPurpose.
constexpr std::array<SipHashKey, 5> kMacKeys = {{
    {0xc3, 0xc4, 0xf9, 0x19, 0xb5, 0x57, 0xb2, 0x1c, 0xe6, 0xcf, 0x14, 0x27, 0x03, 0x9c, 0xee, 0xa2},
    {0x1a, 0x37, 0x6f, 0xc7, 0x46, 0xec, 0x45, 0x0b, 0xad, 0xa3, 0xd5, 0x31, 0x06, 0x60, 0x5d, 0xb1},
    {0xaf, 0x50, 0x17, 0x61, 0xce, 0xf9, 0x4d, 0x35, 0x84, 0x0d, 0x2b, 0x20, 0x54, 0xbe, 0xce, 0x59},
    {0x48, 0xc7, 0xf6, 0xb7, 0xea, 0x9d, 0x4c, 0x9e, 0xb7, 0x28, 0xd4, 0xde, 0x91, 0xd5, 0xbf, 0x66},
    {0x00, 0x13, 0x6d, 0xbc, 0x66, 0x83, 0x44, 0x81, 0xbb, 0x0c, 0xf9, 0x51, 0x1f, 0x24, 0xa6, 0x6f},
}};

} // namespace

LinkName fit_link_name(std::string_view whole) {
    if (whole.size() <= kLongestName) {
        return {.name = std::string(whole), .whole = {}};
    }
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    constexpr size_t kKept = 11;
    const uint64_t hash = siphash24(whole, kNameKey);
    LinkName fitted{.name = std::string(whole.substr(0, kKept)),
                    .whole = std::string(whole.substr(0, kLongestAlternativeName))};
    for (const unsigned shift : {18U, 12U, 6U, 0U}) {
        fitted.name += kDigits[(hash >> shift) & 63];
    }
    return fitted;
}

MacAddress derived_mac(MacPurpose purpose, const Id128& host_id, std::string_view machine, uint64_t index) {
    std::string data(reinterpret_cast<const char*>(host_id.bytes.data()), host_id.bytes.size());
    data += machine;
    if (index > 0) {
        for (unsigned byte = 0; byte < sizeof index; ++byte) {
            data += static_cast<char>(index >> (8 * byte));
        }
    }
    const uint64_t hash = siphash24(data, kMacKeys.at(static_cast<size_t>(purpose)));
    MacAddress mac{};
    for (size_t octet = 0; octet < mac.size(); ++octet) {
        mac[octet] = static_cast<uint8_t>(hash >> (8 * octet));
    }
    constexpr unsigned kMulticast = 0x01;
    constexpr unsigned kLocallyAdministered = 0x02;
    mac[0] = static_cast<uint8_t>((mac[0] & ~kMulticast) | kLocallyAdministered);
    return mac;
}

namespace {

class NetworkPlanner {
public:
    NetworkPlanner(const NetworkSettings& settings, const std::string& machine, const std::optional<Id128>& host_id,
                   const std::optional<MacAddress>& first_mac)
        : settings_(settings), machine_(machine), host_id_(host_id), first_mac_(first_mac) {}

    NetworkPlan run() {
        plan_.is_private = settings_.is_private;
        plan_.namespace_path = settings_.namespace_path;
        plan_.machine = settings_.machine;
        on_host(settings_.interfaces, LinkKind::interface, "");
        add_pair();
        add_extra_pairs();
        on_host(settings_.macvlan, LinkKind::macvlan, "mv-");
        on_host(settings_.ipvlan, LinkKind::ipvlan, "iv-");
        for (const NetworkLink& link : settings_.links) {
            add(link);
        }
        check_names();
        check_addresses();
        check_parents();
        return std::move(plan_);
    }

private:
    [[nodiscard]] std::optional<MacAddress> mac(MacPurpose purpose, uint64_t index) const {
        return host_id_ ? std::optional(derived_mac(purpose, *host_id_, machine_, index)) : std::nullopt;
    }

    // The next pair between "host0", "host1" … and the host.
    PlannedLink make_pair(std::string bridge, bool zone) {
        const uint64_t index = pairs_++;
        PlannedLink link;
        link.bridge = std::move(bridge);
        link.zone = zone;
        link.name.name = fmt::format("host{}", index);
        const std::string whole = (link.bridge.empty() ? "ve-" : "vb-") + machine_;
        link.host_name = fit_link_name(index == 0 ? whole : fmt::format("{}-{}", whole, index));
        link.mac = index == 0 && first_mac_ ? first_mac_ : mac(MacPurpose::container, index);
        link.host_mac = mac(MacPurpose::host, index);
        return link;
    }

    void add_pair() {
        if (settings_.veth) {
            const bool zone = !settings_.zone.empty();
            plan_.links.push_back(make_pair(zone ? "vz-" + settings_.zone : settings_.bridge, zone));
        }
    }

    void add_extra_pairs() {
        uint64_t index = 0;
        for (const HostPair& pair : settings_.extra) {
            PlannedLink link;
            link.name.name = pair.container;
            link.host_name.name = pair.host;
            link.mac = mac(MacPurpose::extra_container, index);
            link.host_mac = mac(MacPurpose::extra_host, index);
            plan_.links.push_back(std::move(link));
            ++index;
        }
    }

    PlannedLink make_on_host(LinkKind kind, const std::string& parent, std::string_view prefix) {
        PlannedLink link;
        link.kind = kind;
        link.parent = parent;
        if (kind != LinkKind::interface) { // that one keeps its name, which may not be the one it is called by here
            link.name = fit_link_name(std::string(prefix).append(parent));
        }
        if (kind == LinkKind::macvlan) {
            link.mac = mac(MacPurpose::macvlan, macvlans_++);
        }
        return link;
    }

    void on_host(const std::vector<HostPair>& pairs, LinkKind kind, std::string_view prefix) {
        for (const HostPair& pair : pairs) {
            PlannedLink link = make_on_host(kind, pair.host, prefix);
            if (!pair.container.empty()) {
                link.name = {.name = pair.container, .whole = {}};
            }
            plan_.links.push_back(std::move(link));
        }
    }

    PlannedLink start_of(const NetworkLink& wanted) {
        switch (wanted.kind) {
        case NetworkKind::veth:
            return make_pair("", false);
        case NetworkKind::bridge:
            return make_pair(wanted.parent, false);
        case NetworkKind::zone:
            return make_pair("vz-" + wanted.parent, true);
        case NetworkKind::macvlan:
            return make_on_host(LinkKind::macvlan, wanted.parent, "mv-");
        case NetworkKind::ipvlan:
            return make_on_host(LinkKind::ipvlan, wanted.parent, "iv-");
        case NetworkKind::interface:
            break;
        }
        return make_on_host(LinkKind::interface, wanted.parent, "");
    }

    void add(const NetworkLink& wanted) {
        PlannedLink link = start_of(wanted);
        if (!wanted.name.empty()) {
            link.name = {.name = wanted.name, .whole = {}};
        }
        if (!wanted.host_name.empty()) {
            link.host_name = {.name = wanted.host_name, .whole = {}};
        }
        link.mac = wanted.mac ? wanted.mac : link.mac;
        link.host_mac = wanted.host_mac ? wanted.host_mac : link.host_mac;
        link.addresses = wanted.addresses;
        link.gateways = wanted.gateways;
        plan_.links.push_back(std::move(link));
    }

    void check_names() const {
        for (const PlannedLink& link : plan_.links) {
            const std::string& name = link.name.name;
            const auto called = [&](const PlannedLink& other) { return other.name.name == name; };
            const auto called_on_host = [&](const PlannedLink& other) {
                return !link.host_name.name.empty() && other.host_name.name == link.host_name.name;
            };
            if (name == "lo" || (!name.empty() && std::count_if(plan_.links.begin(), plan_.links.end(), called) > 1)) {
                throw Error(fmt::format("two interfaces of the container would be called '{}'", name),
                            "--network=…,name= and HOST:CONTAINER of the other options give other names.");
            }
            if (std::count_if(plan_.links.begin(), plan_.links.end(), called_on_host) > 1) {
                throw Error(fmt::format("two interfaces of the host would be called '{}'", link.host_name.name));
            }
        }
    }

    void check_addresses() const {
        for (auto link = plan_.links.begin(); link != plan_.links.end(); ++link) {
            for (const IpPrefix& address : link->addresses) {
                const auto same = [&](const IpPrefix& other) { return other.address == address.address; };
                const auto has_it = [&](const PlannedLink& other) {
                    return std::any_of(other.addresses.begin(), other.addresses.end(), same);
                };
                if (std::any_of(std::next(link), plan_.links.end(), has_it)) {
                    throw Error(fmt::format("two interfaces of the container would have the address {}",
                                            format_ip_address(address.address)));
                }
            }
        }
    }

    void check_parents() const {
        for (const PlannedLink& moved : plan_.links) {
            const auto uses = [&](const PlannedLink& other) {
                return other.kind != LinkKind::veth && other.parent == moved.parent;
            };
            if (moved.kind == LinkKind::interface && std::count_if(plan_.links.begin(), plan_.links.end(), uses) > 1) {
                throw Error(fmt::format("the interface '{}' is asked for twice, and it is to be moved into the "
                                        "container",
                                        moved.parent));
            }
        }
    }

    const NetworkSettings& settings_;
    const std::string& machine_;
    const std::optional<Id128>& host_id_;
    const std::optional<MacAddress>& first_mac_;
    NetworkPlan plan_;
    uint64_t pairs_ = 0;
    uint64_t macvlans_ = 0;
};

const char* kind_text(const PlannedLink& link) {
    switch (link.kind) {
    case LinkKind::veth:
        return "veth";
    case LinkKind::macvlan:
        return "macvlan";
    case LinkKind::ipvlan:
        return "ipvlan";
    case LinkKind::interface:
        break;
    }
    return "interface";
}

std::string name_text(const LinkName& name) {
    return name.whole.empty() ? name.name : fmt::format("{} ({})", name.name, name.whole);
}

} // namespace

NetworkPlan plan_network(const NetworkSettings& settings, const std::string& machine,
                         const std::optional<Id128>& host_id, const std::optional<MacAddress>& first_mac) {
    return NetworkPlanner(settings, machine, host_id, first_mac).run();
}

std::vector<FixedAddress> fixed_addresses(const NetworkPlan& network) {
    std::vector<FixedAddress> fixed;
    for (const PlannedLink& link : network.links) {
        if (link.kind != LinkKind::veth) {
            continue; // the host does not see the others' addresses
        }
        for (const IpPrefix& address : link.addresses) {
            fixed.push_back({link.bridge.empty() ? link.host_name.name : link.bridge, address});
        }
    }
    return fixed;
}

std::string describe_link(const PlannedLink& link) {
    std::string text =
        fmt::format("{} {}", kind_text(link), link.name.name.empty() ? link.parent : name_text(link.name));
    if (link.mac) {
        text += fmt::format(" {}", format_mac_address(*link.mac));
    }
    if (link.kind == LinkKind::veth) {
        text += fmt::format(", host: {}", name_text(link.host_name));
        text += link.host_mac ? fmt::format(" {}", format_mac_address(*link.host_mac)) : "";
        text += link.bridge.empty() ? "" : fmt::format(" in {}{}", link.zone ? "zone bridge " : "bridge ", link.bridge);
    } else {
        text += fmt::format(", host: {}", link.parent);
    }
    for (const IpPrefix& address : link.addresses) {
        text += fmt::format(", {}", format_ip_prefix(address));
    }
    for (const IpAddress& gateway : link.gateways) {
        text += fmt::format(", default route by {}", format_ip_address(gateway));
    }
    return text;
}

std::string describe_network(const NetworkPlan& network) {
    if (!network.machine.empty()) {
        return fmt::format("that of machine {}", network.machine);
    }
    if (!network.namespace_path.empty()) {
        return fmt::format("namespace {}", network.namespace_path);
    }
    return network.is_private ? "its own" : "that of the host";
}

} // namespace nspawn
