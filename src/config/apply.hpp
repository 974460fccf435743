// apply.hpp — what each option does with its value: parse, check the range, store.
//
// One function for each row of the option table that is more than a switch. A function throws Error with the reason
// alone ("not a signal"); resolve() knows whose value it was and puts that in front. Never looks at other options and
// never at the host. Grammar of each value: systemd-nspawn(1), systemd.nspawn(5).
#pragma once

#include "base/error.hpp"
#include "base/text.hpp"
#include "config/draft.hpp"
#include "config/option.hpp"

namespace nspawn::apply {

// One word of a list is wrong: an error on the command line; in a settings file the rest of the list still holds, so
// that a name only a newer version knows does not undo a whole DropCapability= line.
void reject_word(Draft& draft, const Value& value, std::string reason);

// A boolean; an option named without a value says yes.
bool boolean(const Value& value);

template <bool Config::*member>
void flag(Draft& draft, const Value& value) {
    draft.config.*member = boolean(value);
}

void boot(Draft& draft, const Value& value);
void as_pid2(Draft& draft, const Value& value);
void parameters(Draft& draft, const Value& value);
void settings(Draft& draft, const Value& value);
void no_pager(Draft& draft, const Value& value);
void directory(Draft& draft, const Value& value);
void template_directory(Draft& draft, const Value& value);
void pivot_root(Draft& draft, const Value& value);
void image(Draft& draft, const Value& value);
void image_policy(Draft& draft, const Value& value);
void root_hash(Draft& draft, const Value& value);
void root_hash_sig(Draft& draft, const Value& value);
void verity_data(Draft& draft, const Value& value);
void oci_bundle(Draft& draft, const Value& value);
void volatile_mode(Draft& draft, const Value& value);
template <bool read_only>
void bind(Draft& draft, const Value& value);
void tmpfs(Draft& draft, const Value& value);
template <bool read_only>
void overlay(Draft& draft, const Value& value);
void inaccessible(Draft& draft, const Value& value);
void resolv_conf(Draft& draft, const Value& value);
void timezone(Draft& draft, const Value& value);
void link_journal(Draft& draft, const Value& value);
void link_journal_try_guest(Draft& draft, const Value& value);
void bind_user(Draft& draft, const Value& value);
void bind_user_shell(Draft& draft, const Value& value);
void bind_user_group(Draft& draft, const Value& value);
void private_users(Draft& draft, const Value& value);
void private_users_ownership(Draft& draft, const Value& value);
void private_users_chown(Draft& draft, const Value& value);
void private_users_auto(Draft& draft, const Value& value);
void private_network(Draft& draft, const Value& value);
void network_managed(Draft& draft, const Value& value);
void network_pool(Draft& draft, const Value& value);
void network_namespace_path(Draft& draft, const Value& value);
void network_veth(Draft& draft, const Value& value);
void network_veth_extra(Draft& draft, const Value& value);
void network_bridge(Draft& draft, const Value& value);
void network_zone(Draft& draft, const Value& value);
template <std::vector<HostPair> NetworkSettings::*member>
void network_pairs(Draft& draft, const Value& value) {
    std::vector<HostPair>& pairs = draft.config.network.*member;
    for (HostPair& pair : parse_host_pairs(value.text)) {
        pairs.push_back(std::move(pair));
    }
}
void network(Draft& draft, const Value& value);
void port(Draft& draft, const Value& value);
void machine(Draft& draft, const Value& value);
void hostname(Draft& draft, const Value& value);
void uuid(Draft& draft, const Value& value);
void selinux_context(Draft& draft, const Value& value);
void selinux_apifs_context(Draft& draft, const Value& value);
void console(Draft& draft, const Value& value);
void pipe(Draft& draft, const Value& value);
void background(Draft& draft, const Value& value);

void working_directory(Draft& draft, const Value& value);
void environment(Draft& draft, const Value& value);
void user(Draft& draft, const Value& value);
void kill_signal(Draft& draft, const Value& value);
void personality(Draft& draft, const Value& value);
void oom_score_adjust(Draft& draft, const Value& value);
void cpu_affinity(Draft& draft, const Value& value);
void limit(Draft& draft, const Value& value);
void set_credential(Draft& draft, const Value& value);
void load_credential(Draft& draft, const Value& value);

void capability(Draft& draft, const Value& value);
void drop_capability(Draft& draft, const Value& value);
void ambient_capability(Draft& draft, const Value& value);
void system_call_filter(Draft& draft, const Value& value);

} // namespace nspawn::apply
