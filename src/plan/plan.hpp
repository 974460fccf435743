// plan.hpp — everything that will be done to start one container, as data.
//
// plan() is pure: no system call, so it is tested without root and printed by --dry-run. The run folder carries it
// out and decides nothing. Sources: systemd-nspawn(1), spec C.1 to C.6.
#pragma once

#include "config/config.hpp"
#include "config/environment_switches.hpp"
#include "config/network_message.hpp"
#include "image/image_facts.hpp"
#include "linux/id_map.hpp"
#include "linux/personality.hpp"
#include "linux/resource_limit.hpp"
#include "linux/seccomp_filter.hpp"
#include "plan/host_facts.hpp"
#include "plan/host_files.hpp"
#include "plan/managed_plan.hpp"
#include "plan/network_plan.hpp"
#include "plan/operation.hpp"

#include <optional>
#include <string>
#include <vector>

#include <linux/mount.h>

namespace nspawn {

// Where the container's "/" comes from once the tree is at hand (spec A.1, --volatile).
enum class RootKind {
    tree,             // the tree itself
    volatile_usr,     // a tmpfs with the tree's /usr read-only in it
    volatile_state,   // the tree read-only with a tmpfs on /var
    volatile_overlay, // a tmpfs layer over the read-only tree
};

// Operations that belong together; the name is the stage's name in errors, timings and fault injection.
struct OperationGroup {
    const char* stage = "";
    std::vector<Operation> operations;
};

struct PayloadUser {
    std::optional<UserRecord> record; // known before the start
    std::string name;                 // otherwise: asked for with getent inside the container
};

struct Payload {
    StartMode mode = StartMode::pid1;
    std::vector<std::string> words;
    std::string working_directory; // empty: the user's home for a shell, "/" otherwise
    PayloadUser user;
    std::string container_service; // value of $container
};

struct CapabilityPlan {
    CapabilityMask bounding = 0;
    CapabilityMask ambient = 0;
    std::optional<CapabilitySets> exact; // of a bundle: exactly these sets
    CapabilityMask missing = 0;          // wanted, but the caller does not have them
};

struct Plan {
    std::string machine;
    std::string hostname;
    std::string tree; // for messages
    Id128 uuid;

    uint64_t namespaces = 0; // CLONE_NEW*
    IdMap id_map;            // of the user namespace; empty: there is none
    bool map_tree = false; // the tree is shown through an id-mapped mount: it belongs to host ids as if there were none
    bool private_network = false;
    NetworkRequest network_request; // what nspawn-network does for the container; nothing: it is not started
    NetworkPlan network;
    ManagedPlan managed;
    RootKind root = RootKind::tree;
    bool read_only = false;
    PivotRoot pivot_root; // what the tree is has been decided by the time of the plan; where its old root goes has not
    std::vector<MountOption> volatile_options; // of the tmpfs behind RootKind::volatile_*
    CgroupLayout container_cgroups = CgroupLayout::none;

    std::vector<OperationGroup> groups;
    std::vector<std::string> sealed_last; // mounts of ours that become read-only when all is in them
    std::vector<HostFile> host_files;
    std::shared_ptr<const OciRuntime> oci; // null: not from a bundle
    JournalPlan journal;

    ConsoleMode console = ConsoleMode::read_only;
    // With a console or users of its own the supervisor makes the devpts, to open the terminal in it and to give it
    // away; else the child does.
    std::vector<MountOption> devpts_options;
    uint64_t devpts_attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;

    // The host's mount point of a tmpfs that the container's sockets can be reached through; empty: none.
    std::string unix_export;
    std::vector<MountOption> unix_export_options; // of that tmpfs

    std::vector<std::pair<std::string, std::string>> environment_before_user; // spec C.3: the user's variables stand
    std::vector<std::pair<std::string, std::string>> environment_after_user;  // between these two
    std::vector<EnvironmentEntry> environment_changes;                        // --setenv, applied last
    Payload payload;
    CapabilityPlan capabilities;
    std::optional<FilterPolicy> filter; // empty: no filter
    bool log_refused_calls = false;     // in the audit log
    bool no_new_privileges = false;
    ResourceLimitSet limits{}; // every one of them is set
    std::optional<int> oom_score_adjust;
    std::vector<unsigned> cpu_affinity;
    std::optional<Personality> personality;
    std::string selinux_context;
    std::vector<Credential> credentials;
    bool credentials_world_readable = false;
    unsigned listen_fds = 0;

    std::optional<int> kill_signal;
    bool notify_ready = false;
    bool keep_unit = false;
    bool quiet = false;

    std::vector<std::string> notices; // one line each, said at the start unless --quiet
};

// The container's root, as the host knows it.
uint32_t root_user_on_host(const Plan& plan);
uint32_t root_group_on_host(const Plan& plan);

inline bool has_private_users(const Plan& plan) { return !plan.id_map.empty(); }
// A bundle's devices may lie anywhere.
inline bool supervisor_makes_dev(const Plan& plan) { return !plan.oci; }
inline bool supervisor_makes_devpts(const Plan& plan) {
    return plan.console != ConsoleMode::pipe || has_private_users(plan);
}

Plan make_plan(const Config& config, const EnvironmentSwitches& switches, const HostFacts& host,
               const ImageFacts& image);

// The payload's environment in the order of spec C.3 for a user who is known by now; "NAME=value" each.
std::vector<std::string> payload_environment(const Plan& plan, const UserRecord& user);

// The user --user= stands for when it is not given.
UserRecord root_user();

} // namespace nspawn
