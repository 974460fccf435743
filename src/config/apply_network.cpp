// The network; the grammar is network.hpp's. How its options go together is settled in derive.cpp.
#include "config/apply.hpp"
#include "config/show.hpp"

namespace nspawn::apply {

void private_network(Draft& draft, const Value& value) { draft.config.network.is_private = boolean(value); }

void network_namespace_path(Draft& draft, const Value& value) {
    draft.config.network.namespace_path = parse_namespace_path(value.text, draft.caller.start_of_paths());
}

void network_veth(Draft& draft, const Value& value) { draft.config.network.veth = boolean(value); }

void network_veth_extra(Draft& draft, const Value& value) {
    draft.config.network.extra.push_back(parse_veth_pair(value.text));
}

void network_bridge(Draft& draft, const Value& value) { draft.config.network.bridge = parse_bridge(value.text); }

void network_zone(Draft& draft, const Value& value) { draft.config.network.zone = parse_zone(value.text); }

void network(Draft& draft, const Value& value) {
    apply_network(draft.config.network, value.text, draft.caller.start_of_paths());
}

void network_managed(Draft& draft, const Value& value) {
    draft.config.network_managed = value.given ? parse_managed_mode(value.text) : ManagedMode::yes;
}

void network_pool(Draft& draft, const Value& value) { add_address_pools(draft.config.network_pools, value.text); }

} // namespace nspawn::apply

namespace nspawn::show {

Lines private_network(const Config& config) { return boolean(config.network.is_private); }
Lines network_namespace_path(const Config& config) { return text(config.network.namespace_path); }
Lines network_veth(const Config& config) { return boolean(config.network.veth); }
Lines network_veth_extra(const Config& config) { return host_pairs(config.network.extra); }
Lines network_bridge(const Config& config) { return text(config.network.bridge); }
Lines network_zone(const Config& config) { return text(config.network.zone); }

Lines host_pairs(const std::vector<HostPair>& pairs) {
    Lines lines;
    for (const HostPair& pair : pairs) {
        lines.push_back(format_host_pair(pair));
    }
    return lines;
}

Lines network(const Config& config) {
    Lines lines;
    for (const NetworkLink& link : config.network.links) {
        lines.push_back(format_network_link(link));
    }
    if (!config.network.machine.empty()) {
        lines.push_back("machine:" + config.network.machine);
    }
    return lines;
}

Lines network_managed(const Config& config) { return {std::string(to_word(config.network_managed))}; }

Lines network_pool(const Config& config) {
    Lines lines;
    for (const auto& pool : {config.network_pools.ipv4, config.network_pools.ipv6}) {
        if (pool) {
            lines.push_back(format_ip_prefix(*pool));
        }
    }
    return lines;
}

} // namespace nspawn::show
