#include "run/managed_lease.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "lease/lease_table.hpp"
#include "linux/link.hpp"
#include "plan/address_pool.hpp"
#include "run/claimed_address.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <sys/socket.h>

namespace nspawn {

namespace {

constexpr std::string_view kWhere = "managed network";

// What the host has, of one moment.
struct HostNetworks {
    std::vector<IpPrefix> taken;   // by addresses and routes of other links
    std::vector<IpPrefix> on_link; // the link's own, not link-local ones
};

HostNetworks look_at_host(const std::string& link_name) {
    NetlinkSocket socket = NetlinkSocket::open().or_throw(kWhere);
    const Result<Link> link = find_link(socket, link_name);
    const int own = link.ok() ? link.value().index : -1;
    HostNetworks host;
    for (const LinkAddress& address : list_addresses(socket).or_throw("listing the host's addresses")) {
        if (address.index != own) {
            host.taken.push_back(network_of(address.prefix));
        } else if (!is_link_local(address.prefix.address)) {
            host.on_link.push_back(address.prefix);
        }
    }
    for (const Route& route : list_routes(socket).or_throw("listing the host's routes")) {
        if (route.index != own) {
            host.taken.push_back(route.destination);
        }
    }
    return host;
}

// "web" in zone "vz-lab", among those who are there.
class Choice {
public:
    Choice(std::string machine, const ManagedPlan& plan, const std::vector<LeaseRecord>& leases)
        : machine_(std::move(machine)), plan_(plan), leases_(leases), host_(look_at_host(plan.link)) {}

    // Who manages the link, if not us.
    [[nodiscard]] std::optional<std::string> stranger() const {
        if (!plan_.shared || has_neighbours()) { // then others may have added what they like
            return std::nullopt;
        }
        const auto foreign = std::find_if(host_.on_link.begin(), host_.on_link.end(),
                                          [this](const IpPrefix& address) { return !could_be_ours(address); });
        return foreign == host_.on_link.end() ? std::nullopt : std::optional(format_ip_prefix(*foreign));
    }

    LeaseRecord choose() {
        LeaseRecord lease{.machine = machine_,
                          .link = plan_.link,
                          .network_namespace = own_network_namespace(),
                          .gateways = {},
                          .addresses = {}};
        const IpPrefix subnet =
            subnet_for(AF_INET, plan_.ipv4_pools, plan_.shared ? kBridgeSubnetLength : kVethSubnetLength);
        const auto offset = choose_member(subnet, address_seed(machine_), members(AF_INET));
        if (!offset) {
            throw Error(fmt::format("{}: all addresses of {} are taken", plan_.link, format_ip_prefix(subnet)),
                        "A larger network can be given with --network-pool=.");
        }
        add(lease, subnet, *offset);
        if (!plan_.ipv6_pools.empty()) {
            add(lease, subnet_for(AF_INET6, plan_.ipv6_pools, kIpv6SubnetLength), *offset);
        }
        return lease;
    }

private:
    static void add(LeaseRecord& lease, const IpPrefix& subnet, uint64_t offset) {
        lease.gateways.push_back(gateway_of(subnet));
        lease.addresses.push_back({address_in(subnet, offset), subnet.length});
    }

    [[nodiscard]] bool is_neighbour(const LeaseRecord& lease) const {
        return lease.link == plan_.link && lease.network_namespace == own_network_namespace();
    }

    [[nodiscard]] bool has_neighbours() const {
        return std::any_of(leases_.begin(), leases_.end(),
                           [this](const LeaseRecord& lease) { return is_neighbour(lease); });
    }

    // A gateway's address out of our pools, which a killed run has left on a bridge.
    [[nodiscard]] bool could_be_ours(const IpPrefix& address) const {
        const auto holds = [&](const IpPrefix& pool) { return contains(pool, address.address); };
        return gateway_of(address) == address.address &&
               (std::any_of(plan_.ipv4_pools.begin(), plan_.ipv4_pools.end(), holds) ||
                std::any_of(plan_.ipv6_pools.begin(), plan_.ipv6_pools.end(), holds));
    }

    [[nodiscard]] std::vector<IpAddress> members(int family) const {
        std::vector<IpAddress> taken;
        for (const LeaseRecord& lease : leases_) {
            for (const IpAddress& address : all_addresses(lease)) {
                if (address.family == family) {
                    taken.push_back(address);
                }
            }
        }
        for (const IpAddress& address : addresses_claimed_on(plan_.link)) {
            if (address.family == family) {
                taken.push_back(address);
            }
        }
        return taken;
    }

    // That of the neighbours on a bridge, else one that nobody has.
    [[nodiscard]] IpPrefix subnet_for(int family, const std::vector<IpPrefix>& pools, unsigned length) const {
        std::vector<IpPrefix> leased;
        for (const LeaseRecord& lease : leases_) {
            for (const IpPrefix& address : lease.addresses) {
                if (address.address.family != family) {
                    continue;
                }
                if (plan_.shared && is_neighbour(lease)) {
                    return network_of(address);
                }
                leased.push_back(network_of(address));
            }
            for (const FixedAddress& each : lease.fixed) {
                // On the same link it is meant to be a neighbour.
                if (each.prefix.address.family == family && each.link != plan_.link) {
                    leased.push_back(network_of(each.prefix));
                }
            }
        }
        const auto subnet = choose_subnet({.pools = pools,
                                           .pool_is_given = plan_.pool_is_given,
                                           .length = length,
                                           .seed = address_seed(plan_.link),
                                           .leased = leased,
                                           .on_host = host_.taken});
        if (!subnet) {
            throw Error(fmt::format("managed network: no network is free in {}: the host and other containers have "
                                    "addresses or routes in all of it",
                                    list_of(pools)),
                        "Give another pool with --network-pool=.");
        }
        return *subnet;
    }

    static std::string list_of(const std::vector<IpPrefix>& pools) {
        std::string text;
        for (const IpPrefix& pool : pools) {
            text += (text.empty() ? "" : ", ") + format_ip_prefix(pool);
        }
        return text;
    }

    std::string machine_;
    const ManagedPlan& plan_;
    const std::vector<LeaseRecord>& leases_;
    HostNetworks host_;
};

std::string resolv_conf_of(const LeaseRecord& lease) {
    std::string text = "# The host's side of this container's network; it knows the names of its neighbours.\n";
    for (const IpAddress& gateway : lease.gateways) {
        text += "nameserver " + format_ip_address(gateway) + "\n";
    }
    return text;
}

ManagedNetwork network_of_lease(const LeaseRecord& lease, const ManagedPlan& plan) {
    ManagedNetwork network{.link = plan.link,
                           .container_link = plan.container_link,
                           .dhcp = plan.dhcp,
                           .borrowed = plan.borrowed,
                           .gateways = {},
                           .addresses = lease.addresses};
    for (size_t i = 0; i < lease.gateways.size(); ++i) {
        network.gateways.push_back({lease.gateways[i], lease.addresses[i].length});
    }
    return network;
}

} // namespace

namespace {

// Empty: it is left to somebody else.
std::optional<LeaseRecord> choose_managed(const std::string& machine, const ManagedPlan& plan,
                                          const std::vector<LeaseRecord>& leases) {
    if (plan.link.empty()) {
        return std::nullopt;
    }
    Choice choice(machine, plan, leases);
    const auto stranger = choice.stranger();
    if (!stranger) {
        return choice.choose();
    }
    if (plan.step_back) {
        log::debug("{} has the address {} already: its network is left to whoever gave it", plan.link, *stranger);
        return std::nullopt;
    }
    throw Error(fmt::format("{} has the address {} already: somebody else manages its network", plan.link, *stranger),
                "Leave out --network-managed=, or use a bridge without addresses or a zone.");
}

} // namespace

ManagedLease ManagedLease::acquire(const std::string& machine, const ManagedPlan& plan, std::vector<FixedAddress> fixed,
                                   ScratchRecord& record) {
    ManagedLease result;
    LeaseTable table = LeaseTable::lock(LeaseTable::Wait::yes).or_throw("the table of leases");
    table.sweep();
    const std::vector<LeaseRecord> leases = table.leases();
    std::optional<LeaseRecord> managed = choose_managed(machine, plan, leases);
    if (!managed && fixed.empty()) {
        return result;
    }
    LeaseRecord lease = managed.value_or(LeaseRecord{
        .machine = machine, .link = {}, .network_namespace = own_network_namespace(), .gateways = {}, .addresses = {}});
    lease.fixed = std::move(fixed);
    record.add(ScratchKind::lease, of_this_network(lease_file(machine)));
    Result<UniqueFd> held = table.add(lease, managed ? resolv_conf_of(lease) : std::string());
    if (held.error() == EEXIST) {
        throw Error(fmt::format("a machine {} with addresses of its own is running already", machine));
    }
    result.held_ = std::move(held).or_throw("the lease of the container's addresses");
    result.machine_ = machine;
    if (managed) {
        result.network_ = network_of_lease(lease, plan);
    }
    return result;
}

ManagedLease& ManagedLease::operator=(ManagedLease&& other) noexcept {
    release();
    machine_ = std::exchange(other.machine_, {});
    network_ = std::exchange(other.network_, {});
    held_ = std::move(other.held_);
    return *this;
}

bool ManagedLease::release() {
    if (!held_) {
        return true;
    }
    held_.reset();
    Result<LeaseTable> table = LeaseTable::lock(LeaseTable::Wait::yes);
    if (table.ok()) {
        table.value().remove(machine_);
    }
    return table.ok();
}

} // namespace nspawn
