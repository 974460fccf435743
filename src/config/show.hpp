// show.hpp — the final value of each option as text, in the spelling the option itself accepts.
//
// One function for each row of the option table that is more than a switch; an item for each element of a list, none
// when nothing is set. Never shows what a credential contains.
#pragma once

#include "config/config.hpp"

#include <string>
#include <vector>

namespace nspawn::show {

using Lines = std::vector<std::string>;

inline Lines boolean(bool value) { return {value ? "yes" : "no"}; }
inline Lines text(const std::string& value) { return value.empty() ? Lines{} : Lines{value}; }

template <bool Config::*member>
Lines flag(const Config& config) {
    return boolean(config.*member);
}
template <std::string Config::*member>
Lines string(const Config& config) {
    return text(config.*member);
}
Lines capability_names(CapabilityMask mask);
Lines pivot_root(const Config& config);
Lines custom_mounts(const Config& config, CustomMountKind kind, bool read_only);

template <CustomMountKind kind, bool read_only>
Lines custom_mounts(const Config& config) {
    return custom_mounts(config, kind, read_only);
}

template <CapabilityMask Config::*member>
Lines capabilities(const Config& config) {
    return capability_names(config.*member);
}

Lines boot(const Config& config);
Lines as_pid2(const Config& config);
Lines words(const Config& config);
Lines settings(const Config& config);
Lines no_pager(const Config& config);
Lines image_policy(const Config& config);
Lines volatile_mode(const Config& config);
Lines resolv_conf(const Config& config);
Lines timezone(const Config& config);
Lines link_journal(const Config& config);
Lines users(const Config& config);
Lines bind_users(const Config& config);
Lines bind_user_shell(const Config& config);
Lines bind_user_groups(const Config& config);
Lines tree_ownership(const Config& config);
Lines private_network(const Config& config);
Lines network_managed(const Config& config);
Lines network_pool(const Config& config);
Lines network_namespace_path(const Config& config);
Lines network_veth(const Config& config);
Lines network_veth_extra(const Config& config);
Lines network_bridge(const Config& config);
Lines network_zone(const Config& config);
Lines host_pairs(const std::vector<HostPair>& pairs);
template <std::vector<HostPair> NetworkSettings::*member>
Lines network_pairs(const Config& config) {
    return host_pairs(config.network.*member);
}
Lines network(const Config& config);
Lines ports(const Config& config);
Lines uuid(const Config& config);
Lines console(const Config& config);
Lines background(const Config& config);
Lines environment(const Config& config);
Lines kill_signal(const Config& config);
Lines personality(const Config& config);
Lines oom_score_adjust(const Config& config);
Lines cpu_affinity(const Config& config);
Lines limits(const Config& config);
Lines credentials(const Config& config);
Lines system_call_filter(const Config& config);

} // namespace nspawn::show
