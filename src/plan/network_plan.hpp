// network_plan.hpp — which interfaces the container gets, what they are called and which addresses they have.
//
// Pure: the names and MAC addresses follow from the machine's name and the host's machine id, as others expect them to,
// so that they are the same in each run. Never looks whether an interface exists.
// Source: systemd-nspawn(1) "Networking Options", spec C.9.
#pragma once

#include "base/id128.hpp"
#include "config/network.hpp"
#include "lease/lease_record.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

enum class LinkKind { veth, macvlan, ipvlan, interface };

// A name, and the whole of it where it had to be cut.
struct LinkName {
    std::string name = {};  // at most 15 bytes
    std::string whole = {}; // empty: `name` is it

    bool operator==(const LinkName&) const = default;
};

struct PlannedLink {
    LinkKind kind = LinkKind::veth;
    LinkName name = {};                 // in the container
    std::optional<MacAddress> mac = {}; // of the container's end; none: as the kernel has it
    LinkName host_name = {};            // veth: of the host's end
    std::optional<MacAddress> host_mac = {};
    std::string bridge = {}; // veth: that the host's end joins; empty: none
    bool zone = false;       // the bridge is made by its first member and removed with its last
    std::string parent = {}; // others: the host's interface
    std::vector<IpPrefix> addresses = {};
    std::vector<IpAddress> gateways = {};
};

struct NetworkPlan {
    bool is_private = false;
    std::string namespace_path = {}; // of the namespace that is joined; empty: see the next
    std::string machine = {};        // whose network is joined; empty: a namespace of its own, or the host's
    std::vector<PlannedLink> links = {};

    [[nodiscard]] bool joins() const { return !namespace_path.empty() || !machine.empty(); }
};

// `host_id`: the host's machine id; without one MAC addresses are the kernel's to choose. `first_mac`: of the
// container's end of the first pair, instead of the one that follows from the names.
NetworkPlan plan_network(const NetworkSettings& settings, const std::string& machine,
                         const std::optional<Id128>& host_id, const std::optional<MacAddress>& first_mac);

// What is too long becomes its first 11 characters and four that follow from all of them.
LinkName fit_link_name(std::string_view whole);

enum class MacPurpose { container, host, extra_container, extra_host, macvlan };
MacAddress derived_mac(MacPurpose purpose, const Id128& host_id, std::string_view machine, uint64_t index);

// Those that are set from the start, on links by which the host or other containers may reach them.
std::vector<FixedAddress> fixed_addresses(const NetworkPlan& network);

// For messages and --dry-run.
std::string describe_link(const PlannedLink& link);
std::string describe_network(const NetworkPlan& network);

} // namespace nspawn
