// child.hpp — the container's first process, from its birth to the payload's exec.
//
// Runs in the child that launch() made; walks a list of named stages and never returns. Decides nothing: everything
// comes from the Plan and from descriptors the supervisor has prepared. A failure goes to the supervisor as a message
// and the process exits; nothing is printed here.
#pragma once

#include "linux/mount_fd.hpp"
#include "plan/plan.hpp"
#include "run/custom_mounts.hpp"
#include "run/handshake.hpp"
#include "run/host_files.hpp"
#include "run/journal_link.hpp"
#include "run/timeline.hpp"

#include <vector>

namespace nspawn {

// A mount that only the supervisor, still in the host's mount namespace, could open.
struct HostMount {
    const BindFromHost* operation = nullptr;
    MountFd mount; // invalid: as open_host_mount() says
};

struct ChildInput {
    const Plan& plan;
    const Handshake& supervisor;
    Handshake& supervisors_end; // closed at once: it must close when the supervisor dies
    Timeline& timeline;
    int cgroup = -1;             // to be born in, for a child that has a helper
    const MountFd& root;         // becomes "/"
    const MountFd& old_root;     // shown in it for --pivot-root=, else invalid
    const MountFd& volatile_usr; // the tree's /usr for --volatile=yes, else invalid
    const std::vector<HostMount>& host_mounts;
    const std::vector<CustomMountFd>& custom_mounts;
    const std::vector<PreparedHostFile>& host_files;
    const JournalLink& journal;
    const MountFd& devpts;
    int pty_peer = -1; // the payload's terminal; -1: standard streams are passed on
    unsigned pty_number = 0;
    int network_namespace = -1;      // that is joined
    int notify_socket = -1;          // made, not bound
    int stub_init = -1;              // sealed image of the stub init, for --as-pid2
    int exec_failure = -1;           // where the stub init says why it could not execute, for --as-pid2
    bool no_groups = false;          // none to give up
    uint64_t ignored_signals = 0;    // bit N-1: signal N is ignored by us and must not be by the payload
    CapabilityMask bounding_set = 0; // as it is before the payload's is made of it
    bool nested = false;             // we are in a user namespace ourselves
    bool own_cgroup = false;         // born in a control group of its own
    bool testing_faults = false;     // $NSPAWN_FAULT is set
};

[[noreturn]] void run_child(const ChildInput& input);

// The child waits for `hooks_done` before it leaves the host's tree.
[[nodiscard]] bool waits_for_hooks(const Plan& plan);

// Names of all stages of the child, and of its helper, in order: for --dry-run and for the tests that break each of
// them.
std::vector<const char*> child_stage_names(const Plan& plan);

} // namespace nspawn
