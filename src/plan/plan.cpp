#include "plan/plan.hpp"

#include "base/error.hpp"
#include "base/path.hpp"
#include "lease/lease_table.hpp"
#include "plan/mount_table.hpp"
#include "plan/own_mounts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <linux/sched.h>

namespace nspawn {

namespace {

uint64_t wanted_namespaces(const Config& config, const EnvironmentSwitches& switches, const HostFacts& host,
                           const ImageFacts& image) {
    uint64_t namespaces = CLONE_NEWNS;
    if (!switches.share_ipc) {
        namespaces |= CLONE_NEWIPC;
    }
    if (!switches.share_pid) {
        namespaces |= CLONE_NEWPID;
    }
    if (!switches.share_uts) {
        namespaces |= CLONE_NEWUTS;
    }
    if (switches.use_cgroup_namespace && host.cgroup_namespaces) {
        namespaces |= CLONE_NEWCGROUP;
    }
    if (config.oci) {
        namespaces &= ~config.oci->inherited_namespaces;
        for (const OciNamespace& joined : config.oci->joined_namespaces) {
            namespaces &= ~joined.type;
        }
    }
    // Of these the options say whether there is one.
    if (config.network.is_private && !config.network.joins()) {
        namespaces |= CLONE_NEWNET;
    }
    if (!image.id_map.empty()) {
        namespaces |= CLONE_NEWUSER;
    }
    return namespaces;
}

// The oldest systemd that can live on a pure v2 tree, and on the hybrid one (spec C.4).
constexpr unsigned kFirstUnifiedSystemd = 230;
constexpr unsigned kFirstHybridSystemd = 233;

CgroupLayout container_cgroup_mode(const EnvironmentSwitches& switches, const HostFacts& host,
                                   const ImageFacts& image) {
    if (host.cgroups == CgroupLayout::none || host.cgroups == CgroupLayout::legacy) {
        return host.cgroups;
    }
    const bool has_legacy = host.cgroups == CgroupLayout::hybrid;
    if (switches.unified_hierarchy) {
        return *switches.unified_hierarchy || !has_legacy ? CgroupLayout::unified : CgroupLayout::legacy;
    }
    if (has_legacy && image.systemd_version && *image.systemd_version < kFirstHybridSystemd) {
        return *image.systemd_version < kFirstUnifiedSystemd ? CgroupLayout::legacy : CgroupLayout::unified;
    }
    return CgroupLayout::unified;
}

RootKind root_kind(Volatile mode) {
    switch (mode) {
    case Volatile::no:
        return RootKind::tree;
    case Volatile::yes:
        return RootKind::volatile_usr;
    case Volatile::state:
        return RootKind::volatile_state;
    case Volatile::overlay:
        return RootKind::volatile_overlay;
    }
    return RootKind::tree;
}

// A bundle says each set; what is not to be had is an error, since its program counts on it.
CapabilityPlan plan_exact_capabilities(const CapabilitySets& sets, const HostFacts& host) {
    CapabilityPlan plan;
    const CapabilityMask wanted = sets.bounding | sets.permitted | sets.inheritable;
    if ((wanted & ~host.capabilities) != 0) {
        throw Error(fmt::format("config.json: process.capabilities: not available here: {}",
                                format_capabilities(wanted & ~host.capabilities)));
    }
    plan.bounding = sets.bounding;
    plan.ambient = sets.ambient;
    plan.exact = sets;
    return plan;
}

CapabilityPlan plan_capabilities(const Config& config, const HostFacts& host, bool private_users) {
    CapabilityPlan plan;
    if (config.oci && config.oci->capabilities) {
        return plan_exact_capabilities(*config.oci->capabilities, host);
    }
    const CapabilityMask wanted = retained_capabilities(config);
    // A user namespace has all of them, over itself.
    const CapabilityMask available = private_users ? host.all_capabilities : host.capabilities;
    plan.missing = wanted & ~available;
    plan.bounding = wanted & available;
    plan.ambient = config.ambient_capability & plan.bounding;
    return plan;
}

std::optional<FilterPolicy> plan_filter(const Config& config, const EnvironmentSwitches& switches,
                                        const HostFacts& host, const CapabilityPlan& capabilities,
                                        ConsoleMode console) {
    if (!switches.seccomp || !host.seccomp) {
        return std::nullopt;
    }
    FilterPolicy policy;
    policy.retained = capabilities.bounding;
    policy.allow = config.system_call_filter.allow;
    policy.deny = config.system_call_filter.deny;
    policy.suppress_sync = config.suppress_sync;
    // With a pty of its own the payload can only type into itself; with our stdio it could type into the caller's
    // shell.
    policy.forbid_terminal_injection = console == ConsoleMode::pipe && host.stdio_has_terminal;
    return policy;
}

void plan_environment(Plan& plan, const Config& config, const HostFacts& host) {
    auto& before = plan.environment_before_user;
    before.emplace_back("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    before.emplace_back("container", plan.payload.container_service);
    if (!host.term.empty()) {
        before.emplace_back("TERM", host.term);
    }
    if (!host.colorterm.empty()) {
        before.emplace_back("COLORTERM", host.colorterm);
    }
    if (!host.no_color.empty()) {
        before.emplace_back("NO_COLOR", host.no_color);
    }
    auto& after = plan.environment_after_user;
    after.emplace_back("container_uuid", plan.uuid.uuid());
    if (plan.listen_fds > 0) {
        after.emplace_back("LISTEN_FDS", std::to_string(plan.listen_fds));
        after.emplace_back("LISTEN_PID", plan.payload.mode == StartMode::pid2 ? "2" : "1");
    }
    after.emplace_back("NOTIFY_SOCKET", kNotifySocketPath);
    if (!plan.credentials.empty()) {
        after.emplace_back("CREDENTIALS_DIRECTORY", kCredentialsPath);
    }
    if (plan.payload.mode != StartMode::boot) {
        after.emplace_back("LANG", "C.UTF-8");
    }
    after.insert(after.end(), host.container_host.begin(), host.container_host.end());
    plan.environment_changes = config.environment;
}

// By number: there need not be anybody of that name in the tree.
UserRecord user_of_bundle(const OciUser& user) {
    UserRecord record;
    if (user.uid == 0) {
        record = root_user();
    }
    record.uid = user.uid;
    record.gid = user.gid;
    record.groups = user.groups;
    return record;
}

void plan_payload(Plan& plan, const Config& config, const EnvironmentSwitches& switches, const ImageFacts& image) {
    plan.payload.mode = config.start_mode;
    plan.payload.words = config.words;
    plan.payload.working_directory = config.working_directory;
    plan.payload.container_service = switches.container_service;
    if (config.oci && config.oci->user) {
        plan.payload.user.record = user_of_bundle(*config.oci->user);
    } else if (config.user.empty() || image.user) {
        plan.payload.user.record = image.user ? *image.user : root_user();
    } else {
        plan.payload.user.name = config.user;
    }
    plan.kill_signal = config.kill_signal;
    if (config.personality) {
        plan.personality = find_personality(*config.personality);
    } else if (image.init_is_32bit) {
        plan.personality = personality_of_elf32();
    }
}

void plan_notices(Plan& plan) {
    if (plan.capabilities.missing != 0) {
        plan.notices.push_back("not available here and left out: " + format_capabilities(plan.capabilities.missing));
    }
    if (!plan.filter && !(plan.oci && plan.oci->seccomp)) {
        plan.notices.emplace_back("running without a system call filter");
    }
}

} // namespace

UserRecord root_user() {
    UserRecord user;
    user.name = "root";
    user.home = "/root";
    return user;
}

uint32_t root_user_on_host(const Plan& plan) { return id_outside(plan.id_map.users, 0).value_or(0); }

uint32_t root_group_on_host(const Plan& plan) { return id_outside(plan.id_map.groups, 0).value_or(0); }

Plan make_plan(const Config& config, const EnvironmentSwitches& switches, const HostFacts& host,
               const ImageFacts& image) {
    Plan plan;
    plan.machine = image.machine;
    plan.hostname = config.hostname.empty() ? image.machine : config.hostname;
    plan.tree = image.path;
    plan.uuid = image.machine_id ? *image.machine_id : config.uuid ? *config.uuid : Id128::random();

    plan.namespaces = wanted_namespaces(config, switches, host, image);
    plan.id_map = image.id_map;
    map_bound_users(plan.id_map, image.bound_users);
    plan.map_tree = image.map_tree;
    plan.private_network = config.network.is_private;
    plan.network_request.machine = image.machine;
    plan.network_request.ports = config.ports;
    plan.network = plan_network(config.network, image.machine, host.machine_id, switches.network_mac);
    plan.managed = plan_managed_network(managed_input(config, host, plan.network));
    plan.root = root_kind(config.volatile_mode);
    plan.read_only = config.read_only || image.read_only || plan.root != RootKind::tree;
    plan.pivot_root = config.pivot_root;
    plan.container_cgroups = container_cgroup_mode(switches, host, image);
    plan.console = config.console.value_or(ConsoleMode::read_only);
    plan.listen_fds = host.listen_fds;
    if (config.start_mode == StartMode::boot) {
        plan.unix_export = host.unix_export_directory; // only services have sockets to offer
    }
    plan.credentials = config.credentials;
    plan.no_new_privileges = config.no_new_privileges;
    plan.credentials_world_readable =
        config.no_new_privileges && !config.user.empty() && config.start_mode == StartMode::pid1;

    plan_payload(plan, config, switches, image);
    plan_environment(plan, config, host);
    plan.capabilities = plan_capabilities(config, host, has_private_users(plan));
    plan.filter = plan_filter(config, switches, host, plan.capabilities, plan.console);
    plan.log_refused_calls = switches.log_seccomp;
    for (size_t resource = 0; resource < plan.limits.size(); ++resource) {
        plan.log_refused_calls = switches.log_seccomp;
        plan.limits[resource] = config.limits[resource].value_or(host.default_limits[resource]);
    }
    plan.oom_score_adjust = config.oom_score_adjust;
    plan.cpu_affinity = config.cpu_affinity;
    plan.selinux_context = config.selinux_context;
    plan.notify_ready = config.notify_ready;
    plan.keep_unit = config.keep_unit;
    plan.quiet = config.quiet;

    plan.oci = config.oci;
    plan_mounts(plan, {config, switches, host, image});
    change_own_mounts(plan);
    plan_notices(plan);
    const HostFilesInput host_files{.config = config,
                                    .host = host,
                                    .image = image,
                                    .private_network = config.network.is_private,
                                    .leased_resolv_conf =
                                        plan.managed.link.empty() ? "" : leased_resolv_conf(plan.machine)};
    plan.host_files = plan_host_files(host_files);
    plan.journal = plan_journal(host_files, plan.uuid);
    return plan;
}

std::vector<std::string> payload_environment(const Plan& plan, const UserRecord& user) {
    std::vector<std::pair<std::string, std::string>> variables = plan.environment_before_user;
    variables.emplace_back("HOME", user.home);
    if (!user.name.empty()) { // a number without a name, from a bundle
        variables.emplace_back("USER", user.name);
        variables.emplace_back("LOGNAME", user.name);
    }
    variables.insert(variables.end(), plan.environment_after_user.begin(), plan.environment_after_user.end());
    for (const EnvironmentEntry& change : plan.environment_changes) {
        const auto same_name = [&](const auto& variable) { return variable.first == change.name; };
        const auto existing = std::find_if(variables.begin(), variables.end(), same_name);
        if (!change.value) {
            std::erase_if(variables, same_name);
        } else if (existing != variables.end()) {
            existing->second = *change.value;
        } else {
            variables.emplace_back(change.name, *change.value);
        }
    }
    std::vector<std::string> environment;
    environment.reserve(variables.size());
    for (const auto& [name, value] : variables) {
        environment.push_back(std::string(name).append("=").append(value));
    }
    return environment;
}

} // namespace nspawn
