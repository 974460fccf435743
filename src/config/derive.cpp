#include "config/derive.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "linux/capability.hpp"

#include <fmt/format.h>

#include <csignal>
#include <utility>

namespace nspawn {

namespace {

const Assignment* last_of(const Held& held, std::string_view name) {
    const Assignment* found = nullptr;
    for (const Assignment* assignment : held.assignments) {
        if (assignment->option->name == name) {
            found = assignment;
        }
    }
    return found;
}

// The option is in force: a switch that says yes, or a value that is not empty.
bool says_yes(const Assignment& assignment) {
    if (!assignment.has_value) {
        return true;
    }
    return assignment.option->argument == Argument::optional ? parse_boolean(assignment.value).value_or(true)
                                                             : !assignment.value.empty();
}

// "--boot", or "Boot=yes in /etc/systemd/nspawn/web.nspawn:3".
std::string place_of(const Assignment& assignment) { return assignment.describe(); }

void check_conflicts(const Held& held) {
    for (const Assignment* assignment : held.assignments) {
        for (const std::string_view name : assignment->option->conflicts) {
            const Assignment* rival = last_of(held, name);
            const Assignment* latest = last_of(held, assignment->option->name);
            if (rival != nullptr && says_yes(*rival) && says_yes(*latest)) {
                throw Error(fmt::format("{} and {} cannot be combined", place_of(*rival), place_of(*latest)));
            }
        }
    }
}

class Derivation {
public:
    Derivation(Draft& draft, const Held& held, const EnvironmentSwitches& switches)
        : draft_(draft), config_(draft.config), held_(held), switches_(switches) {}

    Derived run() {
        check_conflicts(held_);
        settle_start_mode();
        settle_network();
        settle_users();
        settle_shared_namespaces();
        settle_capabilities();
        settle_console();
        settle_tree();
        settle_journal();
        check_users();
        check_ports();
        settle_template();
        settle_inspection();
        if (switches_.suppress_sync && last_of(held_, "suppress-sync") == nullptr) {
            config_.suppress_sync = *switches_.suppress_sync;
            imply("suppress-sync", Origin::Kind::environment, "SYSTEMD_SUPPRESS_SYNC");
        }
        return std::move(derived_);
    }

private:
    void imply(std::string_view option, Origin::Kind kind, std::string by) {
        derived_.implied.push_back({find_option(option), {.kind = kind, .file = std::move(by)}});
    }

    void settle_start_mode() {
        config_.start_mode = draft_.boot ? StartMode::boot : draft_.as_pid2 ? StartMode::pid2 : StartMode::pid1;
        if (draft_.boot && !config_.kill_signal) {
            config_.kill_signal = SIGRTMIN + 3; // systemd's "shut down", which other inits take for nothing worse
            imply("kill-signal", Origin::Kind::implied, "--boot");
        }
    }

    // An init expects to be PID 1 of its own, and to set its own host name.
    void settle_shared_namespaces() {
        if (!switches_.share_pid && !switches_.share_uts) {
            return;
        }
        const std::string variable =
            switches_.share_pid ? "SYSTEMD_NSPAWN_SHARE_NS_PID" : "SYSTEMD_NSPAWN_SHARE_NS_UTS";
        for (const std::string_view name : {"boot", "as-pid2"}) {
            if (name == "boot" ? draft_.boot : draft_.as_pid2) {
                throw Error(fmt::format("{} cannot be combined with a shared PID or UTS namespace (${})",
                                        place_of(*last_of(held_, name)), variable));
            }
        }
        config_.register_machine = false;
        imply("register", Origin::Kind::environment, variable);
    }

    void settle_capabilities() {
        draft_.settle_capabilities();
        const CapabilityMask retained = retained_capabilities(config_);
        if (const CapabilityMask missing = config_.ambient_capability & ~retained; missing != 0) {
            throw Error(fmt::format("{}: the container does not keep {}",
                                    place_of(*last_of(held_, "ambient-capability")), format_capabilities(missing)))
                .with_hint("Name it with --capability= too, and not with --drop-capability=.");
        }
    }

    void settle_console() {
        const bool terminal = draft_.caller.stdin_is_terminal && draft_.caller.stdout_is_terminal;
        switch (draft_.console) {
        case ConsoleRequest::automatic:
            config_.console = terminal ? ConsoleMode::interactive : ConsoleMode::read_only;
            break;
        case ConsoleRequest::autopipe:
            config_.console = terminal ? ConsoleMode::interactive : ConsoleMode::pipe;
            break;
        case ConsoleRequest::interactive:
            config_.console = ConsoleMode::interactive;
            break;
        case ConsoleRequest::read_only:
            config_.console = ConsoleMode::read_only;
            break;
        case ConsoleRequest::passive:
            config_.console = ConsoleMode::passive;
            break;
        case ConsoleRequest::pipe:
            config_.console = ConsoleMode::pipe;
            break;
        }
        // Whoever pipes wants the payload's bytes and nothing else.
        if (config_.console == ConsoleMode::pipe && !config_.quiet) {
            config_.quiet = true;
            imply("quiet", Origin::Kind::implied, "--console=pipe");
        }
    }

    void settle_tree() {
        if (config_.volatile_mode != Volatile::no && !config_.read_only) {
            config_.read_only = true;
            imply("read-only", Origin::Kind::implied, "--volatile");
        }
    }

    // What is kept with the container's tree would be a link to nowhere; try-host and try-guest do nothing then.
    void settle_journal() {
        const bool insists = config_.link_journal == LinkJournal::host || config_.link_journal == LinkJournal::guest;
        if (config_.ephemeral && insists) {
            throw Error(fmt::format("{} and {} cannot be combined", place_of(*last_of(held_, "ephemeral")),
                                    place_of(*last_of(held_, "link-journal"))));
        }
    }

    [[nodiscard]] bool is_managed() const {
        return config_.network_managed == ManagedMode::yes || config_.network_managed == ManagedMode::dhcp;
    }

    // An interface of its own means a network of its own; one that is joined comes with its interfaces.
    void settle_network() {
        NetworkSettings& network = config_.network;
        if (network.joins() && (network.has_links() || (!network.namespace_path.empty() && !network.machine.empty()))) {
            const Assignment* const joined =
                last_of(held_, network.namespace_path.empty() ? "network" : "network-namespace-path");
            throw Error(fmt::format("{} cannot be combined with other network options",
                                    place_of(joined != nullptr ? *joined : *last_of(held_, "network"))),
                        "The network that is joined has its interfaces already; only --private-network goes with it.");
        }
        if (is_managed() && !network.has_links() && !network.joins() && !std::exchange(network.veth, true)) {
            imply("network-veth", Origin::Kind::implied, "--network-managed");
        }
        if (!network.bridge.empty() || !network.zone.empty()) {
            if (!std::exchange(network.veth, true)) {
                imply("network-veth", Origin::Kind::implied,
                      network.zone.empty() ? "--network-bridge" : "--network-zone");
            }
        }
        if (network.has_links() && !std::exchange(network.is_private, true)) {
            imply("private-network", Origin::Kind::implied, network.veth ? "--network-veth" : "the network options");
        }
    }

    // Whoever lets a range be picked wants the tree to follow. In a settings file that means to change it, since that
    // is what it meant before there were id-mapped mounts.
    void settle_users() {
        const bool pick = config_.users.mode == UserMode::pick;
        const TreeOwnership of_pick = draft_.users_from_file ? TreeOwnership::chown : TreeOwnership::automatic;
        if (config_.users.mode == UserMode::host) {
            config_.tree_ownership = TreeOwnership::off;
        } else if (draft_.tree_ownership) {
            config_.tree_ownership = *draft_.tree_ownership;
        } else if (pick) {
            config_.tree_ownership = of_pick;
            imply("private-users-ownership", Origin::Kind::implied, "--private-users=pick");
        }
    }

    void check_users() const {
        if (config_.users.mode == UserMode::host && !config_.bind_users.empty()) {
            throw Error(fmt::format("{} needs private users: in their range the user gets an id",
                                    place_of(*last_of(held_, "bind-user"))),
                        "Use it with -U or --private-users=.");
        }
        if (config_.users.mode == UserMode::host) {
            return;
        }
        if (config_.tree_ownership == TreeOwnership::chown && config_.read_only) {
            throw Error("--private-users-ownership=chown changes the tree, and --read-only or --volatile= forbid it",
                        "Use --private-users-ownership=map, or run once without them to change the owners.");
        }
        if (switches_.api_vfs_writable.value_or(ApiVfsWritable::no) != ApiVfsWritable::no &&
            !config_.network.is_private) {
            throw Error("$SYSTEMD_NSPAWN_API_VFS_WRITABLE cannot be combined with private users on the host's network",
                        "Add --private-network, or leave the variable unset.");
        }
        if (switches_.api_vfs_writable == ApiVfsWritable::yes) {
            throw Error("$SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes cannot be combined with private users");
        }
    }

    void check_ports() const {
        if (!config_.ports.empty() && !config_.network.is_private) {
            throw Error(fmt::format("{} needs a private network: on the host's every port is the host's already",
                                    place_of(*last_of(held_, "port"))),
                        "Use it with --network-veth, or with another link to the container.");
        }
    }

    void settle_template() {
        const Assignment* const from = last_of(held_, "template");
        const Assignment* const ephemeral = last_of(held_, "ephemeral");
        if (config_.template_directory.empty()) {
            return;
        }
        // A file is heard too late: what the command line says has been looked for by then.
        if (config_.ephemeral &&
            (!config_.directory.empty() || ephemeral->origin.kind == Origin::Kind::settings_file)) {
            throw Error(fmt::format("{} and {} cannot be combined", place_of(*from), place_of(*ephemeral)),
                        "A throw-away copy of the template itself needs no place: leave --directory= out.");
        }
        read_template_as_directory(config_);
        if (config_.directory.empty() && config_.machine.empty()) {
            throw Error(fmt::format("{} needs a place where the tree is made", place_of(*from)),
                        "Name it with --directory= or --machine=.");
        }
    }

    void settle_inspection() {
        if (config_.json && !config_.show_config && !config_.dry_run) {
            throw Error("--json: there is nothing to print, add --show-config or --dry-run");
        }
    }

    Draft& draft_;
    Config& config_;
    const Held& held_;
    const EnvironmentSwitches& switches_;
    Derived derived_;
};

} // namespace

CapabilityMask retained_capabilities(const Config& config) {
    CapabilityMask wanted = kDefaultRetainedCapabilities | config.capability;
    if (config.network.is_private) {
        wanted |= capability_mask(CAP_NET_ADMIN);
    }
    // The host's network belongs to the host's users: the capability could not do there what it promises.
    const bool other_root = config.users.mode != UserMode::host &&
                            (config.users.mode != UserMode::map || id_outside(config.users.map, 0) != 0U);
    if (other_root && !config.network.is_private) {
        wanted &= ~capability_mask(CAP_NET_BIND_SERVICE);
    }
    return wanted & ~config.drop_capability;
}

void read_template_as_directory(Config& config) {
    if (config.ephemeral && config.directory.empty() && !config.template_directory.empty()) {
        config.directory = std::exchange(config.template_directory, {});
    }
}

Derived derive(Draft& draft, const Held& held, const EnvironmentSwitches& switches) {
    return Derivation(draft, held, switches).run();
}

} // namespace nspawn
