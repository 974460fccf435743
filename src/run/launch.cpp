#include "run/launch.hpp"

#include "base/log.hpp"
#include "linux/device_policy.hpp"
#include "run/child.hpp"
#include "run/notify_socket.hpp"
#include "run/prepare_root.hpp"
#include "run/stage.hpp"
#include "run/stub_image.hpp"
#include "run/unix_export.hpp"
#include "run/verify_mounts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr const char* kStageCgroup = "make control groups";
constexpr const char* kStagePrepare = "prepare mounts";
constexpr const char* kStageConsole = "open the console";
constexpr const char* kStageSockets = "make sockets";
constexpr const char* kStageStart = "start the child";
constexpr const char* kStageDevicePolicy = "set the device policy";
constexpr const char* kStageMakeIncoming = "make the incoming directory";
constexpr const char* kStageReadBack = "read mounts back";
constexpr const char* kStageGo = "let the payload run";

const BindFromHost* find_incoming(const Plan& plan) {
    for (const OperationGroup& group : plan.groups) {
        for (const Operation& operation : group.operations) {
            const auto* bind = std::get_if<BindFromHost>(&operation);
            if (bind != nullptr && bind->receive_mounts) {
                return bind;
            }
        }
    }
    return nullptr;
}

MountFd make_incoming(Launch& launch, const LaunchInput& input) {
    const BindFromHost* const incoming = find_incoming(input.plan);
    if (incoming == nullptr) {
        return {};
    }
    launch.incoming = IncomingDirectory::make(incoming->source, launch.record);
    return open_host_mount(*incoming);
}

BeforeMaking record_groups(Launch& launch) {
    return [&record = launch.record](const std::string& path) { record.add(ScratchKind::empty_cgroup, path); };
}

void make_cgroup(Launch& launch, const LaunchInput& input) {
    const CgroupRequest request{.machine = input.plan.machine,
                                .keep_unit = input.plan.keep_unit,
                                .with_named_systemd = input.plan.container_cgroups == CgroupLayout::hybrid ||
                                                      input.plan.container_cgroups == CgroupLayout::legacy};
    Cgroup::Outcome outcome = Cgroup::create(input.host.cgroups, request, record_groups(launch));
    if (!outcome.missing.empty() && !input.plan.quiet) {
        log::notice("{}", outcome.missing);
    }
    if (outcome.cgroup) {
        launch.cgroup.emplace(std::move(*outcome.cgroup));
    }
}

void set_device_policy(Launch& launch, const LaunchInput& input) {
    std::string missing = "no control group for the container";
    if (launch.cgroup) {
        missing = enforce_device_policy(*launch.cgroup, default_device_rules(), record_groups(launch));
        for (const std::string& path : launch.cgroup->paths()) {
            launch.record.add(ScratchKind::cgroup, path); // they are ours, now for certain
        }
    }
    if (!missing.empty() && has_capability(input.plan.capabilities.bounding, CAP_MKNOD) && !input.plan.quiet) {
        log::notice("device nodes are not confined ({}); the payload has CAP_MKNOD and can make and use any", missing);
    }
}

uint64_t clone_flags(const Plan& plan) {
    // The cgroup namespace is made by the child, which is in its own group only then.
    return plan.namespaces & ~static_cast<uint64_t>(CLONE_NEWCGROUP);
}

Pidfd start_child(const Launch& launch, const ChildInput& child_input) {
    const int cgroup = launch.cgroup ? launch.cgroup->descriptor() : -1;
    Result<Pidfd> leader = clone_process({.flags = clone_flags(child_input.plan), .cgroup = cgroup});
    if (leader.ok() && !leader.value().valid()) {
        run_child(child_input);
    }
    if (leader.error() == EPERM) {
        throw Error(fmt::format("clone3: {}", error_text(EPERM)),
                    "New namespaces are not allowed here: run as root, and inside another container give that one "
                    "CAP_SYS_ADMIN and a system call filter that allows clone3, mount and pivot_root.");
    }
    if (leader.error() == EAGAIN) {
        throw Error(fmt::format("clone3: {}", error_text(EAGAIN)),
                    "No more processes are allowed here: look at ulimit -u and at pids.max of the control group.");
    }
    return std::move(leader).or_throw("");
}

// Loading the device program keeps a processor in the kernel, and letting go of the host's tree waits until every
// processor has left it: together they take a quarter of a millisecond longer than one after the other. Only a matter
// of time, so that any first message will do, and none at all.
void wait_until_host_is_left(const Handshake& handshake) {
    constexpr int kPatience = 10; // milliseconds
    pollfd child{handshake.fd(), POLLIN, 0};
    (void)poll(&child, 1, kPatience);
}

// A child that has failed already says why itself; that is heard as soon as we listen.
void tell_child(const Handshake& handshake, MessageKind kind, const MountProblem& problem = {},
                std::span<const int> fds = {}) {
    const Result<void> sent = handshake.send(kind, problem.code, problem.target, problem.what, fds);
    if (!sent.ok() && sent.error() != EPIPE && sent.error() != ECONNRESET) {
        sent.or_throw("");
    }
}

void hand_over_incoming(Launch& launch, const LaunchInput& input) {
    const MountFd incoming = make_incoming(launch, input);
    const int fd = incoming.get();
    tell_child(*launch.handshake, MessageKind::incoming, {}, std::span(&fd, incoming.valid() ? 1 : 0));
}

void let_payload_run(Launch& launch) {
    if (launch.cgroup && launch.cgroup->needs_add()) {
        const Result<void> added = launch.cgroup->add_process(launch.leader.pid());
        if (!added.ok() && added.error() != ESRCH) {
            added.or_throw("moving the payload into its control groups");
        }
    }
    tell_child(*launch.handshake, MessageKind::go);
}

} // namespace

Launch::~Launch() {
    if (leader.valid()) {
        (void)leader.send_signal(SIGKILL); // has ended already on every regular way
        (void)leader.wait();
    }
    if (cgroup && !cgroup->remove().ok()) {
        record.keep();
    }
    if (unix_export && !unix_export->remove().ok()) {
        record.keep();
    }
    if (!incoming.remove().ok()) {
        record.keep();
    }
}

Launch launch(const LaunchInput& input) {
    Launch launch;
    Timeline& timeline = input.timeline;
    in_stage(timeline, kStageCgroup, [&] { make_cgroup(launch, input); });
    if (!input.plan.unix_export.empty()) {
        in_stage(timeline, kStageExport,
                 [&] { launch.unix_export.emplace(export_sockets(input.plan, launch.record)); });
    }
    PreparedMounts mounts = in_stage(timeline, kStagePrepare, [&] { return prepare_mounts(input.plan, input.tree); });

    Pty pty;
    in_stage(timeline, kStageConsole, [&] {
        if (input.plan.console != ConsoleMode::pipe) {
            pty = open_pty(mounts.devpts.get()).or_throw("");
        }
    });

    std::optional<Handshake> child_end;
    UniqueFd stub_init;
    UniqueFd exec_failure;
    in_stage(timeline, kStageSockets, [&] {
        auto ends = Handshake::create().or_throw("");
        launch.handshake.emplace(std::move(ends.first));
        child_end.emplace(std::move(ends.second));
        launch.notify_socket = make_notify_socket().or_throw("");
        if (input.plan.payload.mode == StartMode::pid2) {
            stub_init = make_stub_image().or_throw("stub init");
            std::array<int, 2> pipe_ends{-1, -1};
            check(pipe2(pipe_ends.data(), O_CLOEXEC), "pipe2").or_throw("");
            launch.exec_failure.reset(pipe_ends[0]);
            exec_failure.reset(pipe_ends[1]);
        }
    });

    in_stage(timeline, kStageStart, [&] {
        launch.leader = start_child(launch, ChildInput{.plan = input.plan,
                                                       .supervisor = *child_end,
                                                       .supervisors_end = *launch.handshake,
                                                       .timeline = timeline,
                                                       .root = mounts.root,
                                                       .volatile_usr = mounts.volatile_usr,
                                                       .host_mounts = mounts.host,
                                                       .devpts = mounts.devpts,
                                                       .pty_peer = pty.slave.get(),
                                                       .pty_number = pty.number,
                                                       .notify_socket = launch.notify_socket.get(),
                                                       .stub_init = stub_init.get(),
                                                       .exec_failure = exec_failure.get(),
                                                       .no_groups = input.host.no_groups,
                                                       .ignored_signals = input.host.ignored_signals,
                                                       .bounding_set = input.host.bounding_set,
                                                       .own_cgroup = launch.cgroup.has_value(),
                                                       .testing_faults = std::getenv("NSPAWN_FAULT") != nullptr});
    });
    if (mounts.overlay) {
        launch.overlay.emplace(std::move(*mounts.overlay));
    }
    // What the child does not need at once: made while it mounts.
    in_stage(timeline, kStageMakeIncoming, [&] { hand_over_incoming(launch, input); });
    wait_until_host_is_left(*launch.handshake);
    in_stage(timeline, kStageDevicePolicy, [&] { set_device_policy(launch, input); });
    launch.pty_master = std::move(pty.master);
    return launch;
}

void answer_report(Launch& launch, const Plan& plan, std::string_view left_out, Timeline& timeline) {
    const std::optional<MountProblem> problem =
        in_stage(timeline, kStageReadBack, [&] { return find_mount_problem(plan, left_out, launch.leader.pid()); });
    if (problem) {
        tell_child(*launch.handshake, MessageKind::refused,
                   *problem); // which says so; one that has ended does not hear
        return;
    }
    in_stage(timeline, kStageGo, [&] { let_payload_run(launch); });
}

std::vector<const char*> supervisor_stage_names(const Plan& plan) {
    std::vector<const char*> names = {kStageCgroup,       kStagePrepare,  kStageConsole,
                                      kStageSockets,      kStageStart,    kStageMakeIncoming,
                                      kStageDevicePolicy, kStageReadBack, kStageGo};
    if (!plan.unix_export.empty()) {
        names.insert(std::find(names.begin(), names.end(), kStagePrepare), kStageExport);
    }
    return names;
}

} // namespace nspawn
