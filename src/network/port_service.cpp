#include "network/port_service.hpp"

#include "base/error.hpp"
#include "linux/link.hpp"
#include "network/conflicts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <unistd.h>

namespace nspawn {

namespace {

constexpr std::pair<NatTable, Family> kTables[] = {{NatTable::shared, Family::ipv4},
                                                   {NatTable::shared, Family::ipv6},
                                                   {NatTable::own, Family::ipv4},
                                                   {NatTable::own, Family::ipv6}};

std::string list_of_table(Nft& nft, NatTable table, Family family) {
    return nft.list(fmt::format("list table {} {}", family_word(family), table_name(table)));
}

// Together, and when one of them has gone already, one by one: the others are to go all the same.
void delete_elements(Nft& nft, std::span<const NatElement> elements) {
    if (elements.empty() || nft.run(change_elements("delete", elements)) == 0) {
        return;
    }
    for (const NatElement& element : elements) {
        (void)nft.run(change_elements("delete", std::span(&element, 1)));
    }
}

// Those that we made and nobody uses.
void remove_unused_tables(Nft& nft, PortRegistry& registry) {
    std::string commands;
    for (const auto& [table, family] : kTables) {
        if (!registry.is_ours(table, family)) {
            continue;
        }
        const std::string json = list_of_table(nft, table, family);
        if (is_unused(json)) {
            commands += delete_table(table, family);
        } else if (!json.empty()) {
            continue; // somebody has put something into it
        }
        registry.forget_table(table, family);
    }
    if (!commands.empty()) {
        (void)nft.run(commands);
    }
}

[[noreturn]] void throw_no_backend(int code, const std::string& words) {
    if (code == EPERM || code == EACCES) {
        throw Error("--port: the kernel's packet filter may not be changed here: Operation not permitted",
                    "It takes CAP_NET_ADMIN in the user namespace that the host's network belongs to.");
    }
    throw Error(
        fmt::format("--port: the kernel's packet filter (nftables) does not do network address translation here: "
                    "{}",
                    words),
        "The kernel needs CONFIG_NF_TABLES, CONFIG_NFT_NAT and CONFIG_NFT_FIB, or their modules nf_tables, "
        "nft_chain_nat, nft_nat and nft_fib_inet.");
}

} // namespace

PortService::PortService(const Surroundings& surroundings, std::string machine, std::vector<PublishedPort> ports,
                         int host)
    : loop_(surroundings.loop), reporter_(surroundings.reporter), machine_(std::move(machine)),
      ports_(std::move(ports)), reach_(host) {}

bool PortService::uses(NatTable table, Family family) const {
    return (family == Family::ipv4 || has_ipv6_) && needs_table(ports_, table, family);
}

void PortService::begin() {
    has_ipv6_ = access("/proc/net/if_inet6", F_OK) == 0;
    registry_.emplace(PortRegistry::open());
    const PortRegistry::Lock lock(*registry_);
    registry_->reclaim([this](std::span<const NatElement> elements) { delete_elements(nft_, elements); });
    registry_->claim(machine_, ports_);
    listen_on_loopback();
    make_tables();
}

void PortService::listen_on_loopback() {
    forwarder_.emplace(loop_, reach_);
    const std::vector<std::string> problems = forwarder_->listen(ports_);
    for (const std::string& problem : problems) {
        reporter_.notice(
            fmt::format("--port: programs of this host that ask for {}; they do not reach the container", problem));
    }
}

// Mostly there is none of them, and one transaction makes all.
void PortService::make_tables() {
    std::vector<std::pair<NatTable, Family>> needed;
    std::string commands;
    for (const auto& [table, family] : kTables) {
        if (uses(table, family)) {
            needed.emplace_back(table, family);
            commands += create_table(table, family);
        }
    }
    const bool fresh = std::none_of(needed.begin(), needed.end(),
                                    [this](const auto& each) { return registry_->is_ours(each.first, each.second); });
    if (needed.empty()) {
        return;
    }
    if (fresh) {
        for (const auto& [table, family] : needed) {
            registry_->remember_table(table, family);
        }
        if (nft_.run(commands) == 0) {
            return;
        }
        for (const auto& [table, family] : needed) {
            registry_->forget_table(table, family);
        }
    }
    for (const auto& [table, family] : needed) {
        make_table(table, family);
    }
}

// Written down first: if we are killed between the two, a table that is there is looked at once more, and left alone
// when it is not as we make it.
void PortService::make_table(NatTable table, Family family) {
    const bool ours = registry_->is_ours(table, family);
    registry_->remember_table(table, family);
    const int code = nft_.run(create_table(table, family));
    if (code == 0) {
        return;
    }
    if (!ours) {
        registry_->forget_table(table, family);
    }
    if (code != EEXIST) {
        throw_no_backend(code, nft_.last_error());
    }
    refuse_taken_ports(table, family);
}

void PortService::refuse_taken_ports(NatTable table, Family family) {
    const std::string json =
        nft_.list(fmt::format("list map {} {} {}", family_word(family), table_name(table), map_name(table)));
    if (json.empty()) {
        throw Error(fmt::format("--port: the packet filter has a table {} {} without a map {}", family_word(family),
                                table_name(table), map_name(table)),
                    "It is made by other programs than nspawn and systemd: remove it, or ask whose it is.");
    }
    const std::vector<std::string> keys = keys_of(ports_, table, family);
    const std::vector<NatElement> taken = find_elements(json, table, family, keys);
    if (!taken.empty()) {
        throw Error(
            fmt::format("--port: {} is published already, it leads to {}", taken.front().key, taken.front().value),
            "By another program, or by one that was killed: \"nft list ruleset\" shows it.");
    }
}

void PortService::enter(int container) {
    reach_.set_container(container);
    forwarder_->start();
}

void PortService::settled() {
    const bool ipv4 = uses(NatTable::shared, Family::ipv4) || uses(NatTable::own, Family::ipv4);
    const bool ipv6 = uses(NatTable::own, Family::ipv6); // where no IPv6 address was named, the host may do without
    tell_missing_addresses();
    for (const std::string& sentence : find_port_conflicts(nft_, ipv4, ipv6)) {
        reporter_.notice("--port: " + sentence);
    }
}

// It may come later, and then the port is reached.
void PortService::tell_missing_addresses() {
    NetlinkSocket host = NetlinkSocket::open().or_throw("looking at the host's addresses");
    const std::vector<LinkAddress> own = list_addresses(host).or_throw("listing the host's addresses");
    for (const PublishedPort& port : ports_) {
        const auto is_it = [&](const LinkAddress& each) {
            return format_ip_address(each.prefix.address) == port.address;
        };
        if (!port.address.empty() && !is_loopback(port.address) && std::none_of(own.begin(), own.end(), is_it)) {
            reporter_.notice(
                fmt::format("--port={}: {} is no address of this host now", format_port(port), port.address));
        }
    }
}

void PortService::addresses_changed(const ContainerAddresses& addresses) {
    reach_.set_addresses(addresses);
    forwarder_->addresses_changed();
    std::vector<NatElement> wanted = elements_for(ports_, addresses);
    std::erase_if(wanted, [this](const NatElement& element) { return !uses(element.table, element.family); });
    if (wanted != elements_) {
        change_to(std::move(wanted));
    }
}

void PortService::change_to(std::vector<NatElement> wanted) {
    const PortRegistry::Lock lock(*registry_);
    std::vector<NatElement> both = elements_;
    both.insert(both.end(), wanted.begin(), wanted.end());
    registry_->set_elements(std::move(both));
    delete_elements(nft_, std::exchange(elements_, {}));
    const std::string commands = change_elements("add", wanted);
    int code = wanted.empty() ? 0 : nft_.run(commands);
    if (code == ENOENT) { // somebody has removed the tables meanwhile
        make_tables();
        code = nft_.run(commands);
    }
    if (code == EEXIST) {
        reporter_.warning("--port: one of the ports is published by another program meanwhile, none of them is now");
    } else if (code != 0) {
        reporter_.warning(fmt::format("--port: the ports are not published: {}", nft_.last_error()));
    }
    if (code == 0) {
        elements_ = std::move(wanted);
    }
    registry_->set_elements(elements_);
}

void PortService::end() {
    if (!registry_) {
        return;
    }
    forwarder_.reset();
    const PortRegistry::Lock lock(*registry_);
    delete_elements(nft_, std::exchange(elements_, {}));
    if (registry_->release()) {
        remove_unused_tables(nft_, *registry_);
    }
}

void reclaim_ports() {
    Nft nft;
    PortRegistry registry = PortRegistry::open();
    const PortRegistry::Lock lock(registry);
    registry.reclaim([&](std::span<const NatElement> elements) { delete_elements(nft, elements); });
    if (registry.release()) {
        remove_unused_tables(nft, registry);
    }
}

} // namespace nspawn
