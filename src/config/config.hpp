// config.hpp — what the user asked for, after every source was heard: immutable input of the plan.
//
// Made by resolve() only. Holds values that were parsed and range-checked, never text that still has to be
// interpreted. Knows nothing of the host or the tree; what depends on them is decided in the image and plan folders.
// Meaning and defaults: systemd-nspawn(1), systemd.nspawn(5).
#pragma once

#include "base/id128.hpp"
#include "config/custom_mount.hpp"
#include "config/host_files.hpp"
#include "config/image_policy.hpp"
#include "config/managed_network.hpp"
#include "config/network.hpp"
#include "config/oci_runtime.hpp"
#include "config/port.hpp"
#include "config/private_users.hpp"
#include "linux/capability.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/resource.h>

namespace nspawn {

enum class SettingsMode { no, yes, override_command_line, trusted };
enum class StartMode { pid1, pid2, boot };
enum class Volatile { no, yes, state, overlay };
enum class ConsoleMode { interactive, read_only, passive, pipe };

// One step of building the payload's environment; no value means "remove this variable".
struct EnvironmentEntry {
    std::string name;
    std::optional<std::string> value;
};

// Names of system calls and "@groups", in the order given. A denied name beats an allowed one (spec C.6).
struct SystemCallFilter {
    std::vector<std::string> allow;
    std::vector<std::string> deny;
};

// RLIM_INFINITY for "infinity"; index of the array is the kernel's RLIMIT_* number.
using ResourceLimits = std::array<std::optional<rlimit64>, RLIM_NLIMITS>;

struct Credential {
    std::string id;
    std::string content; // may hold any byte
};

// Paths in the tree, absolute and normalized.
struct PivotRoot {
    std::string new_root; // becomes "/"; empty: the tree's own
    std::string old_root; // where the tree's own root directory is seen in it; empty: nowhere
};

struct Config {
    // Which tree.
    std::string directory; // absolute; empty: not given
    std::string image;     // absolute; empty: not given
    std::optional<ImagePolicy> image_policy;
    std::string root_hash;     // lower-case hex; empty: only what the image or a file beside it says
    std::string root_hash_sig; // "base64:" and the DER, or the absolute path of a file with the DER; empty: not given
    std::string verity_data;   // absolute path of the file with the hash tree; empty: not given
    std::string machine;       // empty: derived from the tree
    std::string template_directory; // absolute; empty: none. Where `directory` is missing it is made of this one
    std::string oci_bundle;         // absolute path of the bundle that the tree comes from; empty: none
    bool ephemeral = false;
    bool read_only = false;
    Volatile volatile_mode = Volatile::no;
    PivotRoot pivot_root;
    SettingsMode settings = SettingsMode::yes;

    // What else is mounted in it, as given.
    std::vector<CustomMount> custom_mounts;

    // What it takes over from the host.
    ResolvConf resolv_conf;
    HostFileWay timezone = HostFileWay::automatic;
    LinkJournal link_journal = LinkJournal::automatic;
    // Whose ids and which network it has.
    UserChoice users;
    bool users_if_possible = false; // -U: without private users where the kernel has none
    TreeOwnership tree_ownership = TreeOwnership::off;
    NetworkSettings network;
    ManagedMode network_managed = ManagedMode::no;
    AddressPools network_pools;
    std::vector<PublishedPort> ports;    // no two of them overlap
    std::vector<std::string> bind_users; // names of users of the host
    bool bind_user_shell = false;        // they keep the shell that they have there …
    std::string bind_user_shell_path;    // … or get this one
    std::vector<std::string> bind_user_groups;

    std::shared_ptr<const OciRuntime> oci; // what a bundle asks for beside the options; null: no bundle

    // What runs in it.
    StartMode start_mode = StartMode::pid1;
    std::vector<std::string> words; // the command, or further arguments for the init; empty: a shell
    std::string working_directory;  // absolute; empty: the user's home for a shell, else "/"
    std::vector<EnvironmentEntry> environment;
    std::string user;               // empty: root
    std::optional<int> kill_signal; // as resolved: SIGRTMIN+3 for boot unless given
    bool notify_ready = false;
    bool suppress_sync = false;
    bool no_new_privileges = false;
    CapabilityMask capability = 0;
    CapabilityMask drop_capability = 0;
    CapabilityMask ambient_capability = 0;
    SystemCallFilter system_call_filter;
    ResourceLimits limits;
    std::optional<int> oom_score_adjust;
    std::vector<unsigned> cpu_affinity;     // sorted CPU numbers; empty: inherit
    std::optional<std::string> personality; // validated architecture name, e.g. "x86"
    std::vector<Credential> credentials;

    // Who it is.
    std::string hostname; // empty: the machine's name
    std::optional<Id128> uuid;
    std::string selinux_context;
    std::string selinux_apifs_context;
    bool register_machine = true;
    bool keep_unit = false;

    // Terminal and talk.
    std::optional<ConsoleMode> console;    // always set by resolve(): "autopipe" and the default are resolved there
    std::optional<std::string> background; // SGR parameters; "": off; empty optional: the default tint
    bool quiet = false;

    // Looking without running (ours).
    bool pager = true;
    bool dry_run = false;
    bool json = false;
    bool timing = false;
    bool show_config = false;
};

// The capabilities that the container keeps, so far as the options say: those of the default set and those asked for,
// without the dropped ones.
CapabilityMask retained_capabilities(const Config& config);

} // namespace nspawn
