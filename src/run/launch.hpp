// launch.hpp — one start of the container: from the plan to a running payload.
//
// Prepares everything that needs the host's namespaces, makes the child in one clone3(2) and gives it the word to go.
// Owns what exists once per start (control group, sockets, pseudo terminal); a reboot inside the container makes a new
// one of the same plan. Never waits for the payload: that is supervise().
#pragma once

#include "image/overlay_layer.hpp"
#include "image/root_tree.hpp"
#include "image/scratch_mount.hpp"
#include "image/scratch_record.hpp"
#include "linux/cgroup.hpp"
#include "linux/process.hpp"
#include "linux/pty.hpp"
#include "plan/plan.hpp"
#include "run/custom_mounts.hpp"
#include "run/handshake.hpp"
#include "run/incoming_directory.hpp"
#include "run/journal_link.hpp"
#include "run/managed_lease.hpp"
#include "run/network.hpp"
#include "run/network_worker.hpp"
#include "run/probe_host.hpp"
#include "run/timeline.hpp"

#include <optional>
#include <vector>

namespace nspawn {

struct Launch {
    ScratchRecord record;                // declared first: dropped after everything it lists is gone
    std::optional<OverlayLayer> overlay; // for --volatile=overlay: may have directories that the mount needs
    Network network;
    IncomingDirectory incoming;
    std::optional<ScratchMount> unix_export;
    std::optional<Cgroup> cgroup;
    JournalLink journal;
    UniqueFd notify_socket;
    UniqueFd pty_master;   // invalid in pipe mode
    UniqueFd exec_failure; // reading end, with --as-pid2
    std::optional<Handshake> handshake;
    RootTree* tree = nullptr;     // told when the payload runs
    ManagedLease managed;         // the addresses that are kept for it
    NetworkWorker network_worker; // runs only when somebody has to look after the container's network
    uint64_t network_number = 0;  // of the namespace that it was given
    Pidfd helper;                 // of the child, with private users
    bool last = false;            // the machine ends with it, and what takes time may end later
    Pidfd leader;                 // last: killed and reaped before the rest goes

    Launch() = default;
    Launch(Launch&&) = default;
    Launch& operator=(Launch&&) = delete;
    ~Launch();

    // Of a container that has ended: removes what would outlive us, but for what the overlay has. Descriptors are left
    // to the destructor, or to the kernel when the process exits before that. May be called once more.
    void give_back();
};

// For a payload that runs, after the end of the worker that was killed: another one. Throws Error.
void restart_network_worker(Launch& launch, const Plan& plan);

// Waits for the child's helper, which ends when the payload runs.
void reap_helper(Launch& launch);

struct LaunchInput {
    const Plan& plan;
    const HostProbe& host;
    RootTree& tree;
    CustomMounts& custom_mounts;
    Timeline& timeline;
};

// Everything up to and including the clone, and what the payload needs beside it. The child sets itself up meanwhile,
// reports what it has mounted, and waits for answer_report().
// Never inlined: the stack that it needs is given back once the payload runs.
[[gnu::noinline]] Launch launch(const LaunchInput& input);
// Reads the child's mounts back and lets it go on, or has it fail. `report`: its message.
void answer_report(Launch& launch, const Plan& plan, const Message& report, Timeline& timeline);

// Names of the supervisor's stages, in order.
std::vector<const char*> supervisor_stage_names(const Plan& plan);

} // namespace nspawn
