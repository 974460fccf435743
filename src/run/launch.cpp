#include "run/launch.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "linux/device_policy.hpp"
#include "linux/network_namespace.hpp"
#include "run/child.hpp"
#include "run/device_directory.hpp"
#include "run/joined_namespace.hpp"
#include "run/notify_socket.hpp"
#include "run/oci_hooks.hpp"
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
#include <utility>

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace nspawn {

namespace {

// Modes in the plan are meant as written, by the child, which inherits it, and by us.
class NoUmask {
public:
    NoUmask() : before_(umask(0)) {}
    ~NoUmask() { umask(before_); }
    NoUmask(const NoUmask&) = delete;
    NoUmask& operator=(const NoUmask&) = delete;

private:
    mode_t before_;
};

constexpr const char* kStageCgroup = "make control groups";
constexpr const char* kStagePrepare = "prepare mounts";
constexpr const char* kStageConsole = "open the console";
constexpr const char* kStageSockets = "make sockets";
constexpr const char* kStageStart = "start the child";
constexpr const char* kStageLease = "choose addresses";
constexpr const char* kStageStartNetwork = "start nspawn-network";
constexpr const char* kStageAwaitNetwork = "await nspawn-network";
constexpr const char* kStageJoin = "open the network namespace";
constexpr const char* kStageNetwork = "make network interfaces";
constexpr const char* kStageHooks = "run runtime hooks";
constexpr const char* kStageLimits = "limit resources";
constexpr const char* kStageDevicePolicy = "set the device policy";
constexpr const char* kStageMakeDev = "make the device directory";
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

// The groups from that one on, which have been made by us for certain.
void record_as_ours(Launch& launch, size_t first) {
    const std::vector<std::string> paths = launch.cgroup->paths();
    for (size_t index = first; index < paths.size(); ++index) {
        launch.record.add_later(ScratchKind::cgroup, paths[index]);
    }
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
        record_as_ours(launch, 0);
        if (has_private_users(input.plan)) {
            launch.cgroup->delegate_to(root_user_on_host(input.plan), root_group_on_host(input.plan))
                .or_throw("giving the control group to the container's root");
        }
    }
}

// The usual devices and those that a bind shows: to read and write, or of a read-only bind to read. Empty: the usual.
std::vector<DeviceRule> further_device_rules(const std::vector<CustomMountFd>& mounts, const OciRuntime* bundle) {
    std::vector<DeviceRule> rules;
    if (bundle != nullptr && !bundle->device_rules.empty()) {
        const std::span<const DeviceRule> usual = default_device_rules();
        rules.assign(usual.begin(), usual.end());
        rules.insert(rules.end(), bundle->device_rules.begin(), bundle->device_rules.end());
    }
    for (const CustomMountFd& mount : mounts) {
        if (!S_ISCHR(mount.type) && !S_ISBLK(mount.type)) {
            continue;
        }
        if (rules.empty()) {
            const std::span<const DeviceRule> usual = default_device_rules();
            rules.assign(usual.begin(), usual.end());
        }
        rules.push_back({S_ISCHR(mount.type) ? DeviceType::character : DeviceType::block, major(mount.device),
                         minor(mount.device),
                         mount.operation->what.read_only ? device_access::kRead : device_access::kUse});
    }
    return rules;
}

void set_device_policy(Launch& launch, const LaunchInput& input, const std::vector<CustomMountFd>& mounts) {
    std::string missing = "no control group for the container";
    if (launch.cgroup) {
        const std::vector<DeviceRule> rules = further_device_rules(mounts, input.plan.oci.get());
        const size_t recorded = launch.cgroup->paths().size();
        missing = enforce_device_policy(*launch.cgroup, rules.empty() ? default_device_rules() : rules,
                                        record_groups(launch));
        record_as_ours(launch, recorded);
        launch.record.write();
    }
    if (!missing.empty() && has_capability(input.plan.capabilities.bounding, CAP_MKNOD) && !input.plan.quiet) {
        log::notice("device nodes are not confined ({}); the payload has CAP_MKNOD and can make and use any", missing);
    }
}

uint64_t clone_flags(const Plan& plan) {
    if (has_private_users(plan)) {
        return CLONE_NEWNS; // of the helper, which makes the child
    }
    // The cgroup namespace is made by the child, which is in its own group only then.
    return plan.namespaces & ~static_cast<uint64_t>(CLONE_NEWCGROUP);
}

// What the bundle says, until a terminal of the caller's says something else.
void set_console_size(const Pty& pty, const Plan& plan) {
    if (plan.oci && plan.oci->console_size) {
        winsize size{};
        size.ws_row = plan.oci->console_size->first;
        size.ws_col = plan.oci->console_size->second;
        check(ioctl(pty.master.get(), TIOCSWINSZ, &size), "ioctl(TIOCSWINSZ)").or_throw("");
    }
}

Pidfd start_child(const ChildInput& child_input) {
    const int cgroup = has_private_users(child_input.plan) ? -1 : child_input.cgroup;
    Result<Pidfd> leader = [&] {
        // Of a helper the child only: it joins by itself.
        const BirthNamespace pids(has_private_users(child_input.plan) ? nullptr : child_input.plan.oci.get());
        return clone_process({.flags = clone_flags(child_input.plan), .cgroup = cgroup});
    }();
    if (leader.ok() && !leader.value().valid()) {
        run_child(child_input);
    }
    if (leader.error() == EPERM) {
        throw Error(fmt::format("clone3: {}", error_text(EPERM)),
                    "New namespaces are not allowed here: run as root, and inside another container give that one "
                    "CAP_SYS_ADMIN and a system call filter that allows clone3, mount and pivot_root.");
    }
    if (leader.error() == ENOMEM && find_joined_pid_namespace(child_input.plan.oci.get()) != nullptr) {
        throw Error("config.json: the pid namespace that is joined has no process 1 any more").with_code(ENOMEM);
    }
    if (leader.error() == EAGAIN) {
        throw Error(fmt::format("clone3: {}", error_text(EAGAIN)),
                    "No more processes are allowed here: look at ulimit -u and at pids.max of the control group.");
    }
    return std::move(leader).or_throw("");
}

// The child that the helper has made; before it, the helper may have warnings or a reason why there is none.
Pidfd await_birth(const Handshake& handshake) {
    for (;;) {
        std::optional<Message> message = handshake.receive().or_throw("");
        if (!message) {
            throw Error("the helper of the container's child has ended without a word");
        }
        if (message->kind == MessageKind::born && !message->fds.empty()) {
            return {std::move(message->fds.front()), message->code};
        }
        if (message->kind == MessageKind::failed) {
            throw Error(message->text, message->hint).with_code(message->code);
        }
        if (message->kind == MessageKind::kill_supervisor) {
            kill(getpid(), SIGKILL);
        }
        log::warning("{}", message->text);
    }
}

void await_leader(Launch& launch) {
    if (launch.helper.valid() && !launch.leader.valid()) {
        launch.leader = await_birth(*launch.handshake);
    }
}

// A child that has failed already says why itself; that is heard as soon as we listen.
void tell_child(const Handshake& handshake, MessageKind kind, const MountProblem& problem = {},
                std::span<const int> fds = {}) {
    const Result<void> sent = handshake.send(kind, problem.code, problem.target, problem.what, fds);
    if (!sent.ok() && sent.error() != EPIPE && sent.error() != ECONNRESET) {
        sent.or_throw("");
    }
}

void hand_over(const Launch& launch, const MountFd& dev, const MountFd& incoming) {
    std::array<int, 2> fds{};
    size_t count = 0;
    for (const MountFd* const mount : {&dev, &incoming}) {
        if (mount->valid()) {
            fds[count++] = mount->get();
        }
    }
    tell_child(*launch.handshake, MessageKind::prepared, {}, std::span(fds).first(count));
}

// What the child needs, but not at once: made while it lets go of the host's tree.
void make_while_child_works(Launch& launch, const LaunchInput& input) {
    MountFd dev;
    if (supervisor_makes_dev(input.plan)) {
        dev = in_stage(input.timeline, kStageMakeDev, [&] { return make_device_directory(input.plan); });
    }
    in_stage(input.timeline, kStageMakeIncoming, [&] { hand_over(launch, dev, make_incoming(launch, input)); });
}

// The namespaces are there, and the child has not left the host's tree yet.
void run_runtime_hooks(Launch& launch, const Plan& plan) {
    const OciState state{
        .bundle = *plan.oci, .machine = plan.machine, .status = "creating", .pid = launch.leader.pid()};
    run_hooks(plan.oci->hooks.prestart, state);
    run_hooks(plan.oci->hooks.create_runtime, state);
    tell_child(*launch.handshake, MessageKind::hooks_done);
}

void limit_resources(const Launch& launch, const Plan& plan) {
    const int group = launch.cgroup ? launch.cgroup->policy_descriptor() : -1;
    for (const auto& [file, value] : plan.oci->cgroup_attributes) {
        const Result<void> written =
            group >= 0 ? write_existing(group, file.c_str(), value) : Result<void>(SystemError{ENOENT, "open"});
        if (written.error() == ENOENT) {
            throw Error(
                fmt::format("config.json: linux.resources: {} cannot be set: its controller is not available to "
                            "the container's control group",
                            file),
                "It needs a version 2 hierarchy with that controller, delegated to us.");
        }
        written.or_throw(fmt::format("config.json: linux.resources: {} = {}", file, value));
    }
}

// Its addresses are known from outside.
bool has_lease(const Plan& plan) { return !plan.managed.link.empty() || !fixed_addresses(plan.network).empty(); }

bool needs_network_worker(const Plan& plan) {
    return asks_for_something(plan.network_request) || !plan.managed.link.empty();
}

NetworkRequest network_request(const Launch& launch, const Plan& plan) {
    NetworkRequest request = plan.network_request;
    request.managed = launch.managed.network();
    return request;
}

void start_network_worker(Launch& launch, const Plan& plan) {
    const NetworkRequest request = network_request(launch, plan);
    if (asks_for_something(request)) { // not, if the link is found to be somebody else's
        launch.network_worker = NetworkWorker(request, launch.record, plan.quiet);
    }
}

// The leader is not let go yet, and is ours to wait for: its number is its own. One that is not there any more has
// failed already, and will say why.
void let_worker_enter(Launch& launch, UniqueFd network) {
    if (!network) {
        Result<UniqueFd> opened = open_network_namespace(launch.leader.pid());
        if (opened.error() == ENOENT || opened.error() == ESRCH) {
            return;
        }
        network = std::move(opened).or_throw("the container's network");
    }
    launch.network_number = network_namespace_number(network.get()).or_throw("the container's network");
    launch.network_worker.enter(network);
}

// Not the host's; its links are made while the child mounts.
bool has_network_of_its_own(const Plan& plan) { return plan.private_network || plan.network.joins(); }

void make_network(Launch& launch, const LaunchInput& input, UniqueFd& joined) {
    if (!has_network_of_its_own(input.plan)) {
        return;
    }
    await_leader(launch);
    in_stage(input.timeline, kStageNetwork,
             [&] { launch.network.make(input.plan, launch.leader.pid(), launch.record); });
    if (launch.network_worker.is_running()) {
        let_worker_enter(launch, std::exchange(joined, {}));
    }
}

bool limits_resources(const Plan& plan) { return plan.oci && !plan.oci->cgroup_attributes.empty(); }

void let_payload_run(Launch& launch) {
    if (launch.cgroup && launch.cgroup->needs_add()) {
        const Result<void> added = launch.cgroup->add_process(launch.leader.pid());
        if (!added.ok() && added.error() != ESRCH) {
            added.or_throw("moving the payload into its control groups");
        }
    }
    launch.tree->unlock_user_database();
    tell_child(*launch.handshake, MessageKind::go);
}

} // namespace

Launch::~Launch() {
    network_worker.let_go();
    if (helper.valid()) {
        (void)helper.send_signal(SIGKILL); // has ended already on every regular way
        (void)helper.wait();
    }
    if (leader.valid()) {
        (void)leader.send_signal(SIGKILL); // has ended already on every regular way
        (void)leader.wait();
    }
    give_back();
}

void Launch::give_back() {
    network_worker.let_go();
    network.take_back(record);
    if (cgroup && !cgroup->remove().ok()) {
        record.keep();
    }
    if (unix_export && !unix_export->remove().ok()) {
        record.keep();
    }
    if (!incoming.remove().ok()) {
        record.keep();
    }
    if (!managed.release() || !network_worker.end()) {
        record.keep();
    }
    if (network.is_in_zones()) {
        network.leave_zones(record, !last || overlay.has_value());
    }
    if (!overlay) { // whose directories are recorded, too, and go last
        record.finish();
    }
}

Launch launch(const LaunchInput& input) {
    Launch launch;
    launch.tree = &input.tree;
    Timeline& timeline = input.timeline;
    if (has_lease(input.plan)) {
        in_stage(timeline, kStageLease, [&] {
            launch.managed = ManagedLease::acquire(input.plan.machine, input.plan.managed,
                                                   fixed_addresses(input.plan.network), launch.record);
        });
    }
    if (needs_network_worker(input.plan)) {
        // First of all: what it needs most of its time for needs no container.
        in_stage(timeline, kStageStartNetwork, [&] { start_network_worker(launch, input.plan); });
    }
    in_stage(timeline, kStageCgroup, [&] { make_cgroup(launch, input); });
    if (!input.plan.unix_export.empty()) {
        in_stage(timeline, kStageExport,
                 [&] { launch.unix_export.emplace(export_sockets(input.plan, launch.record)); });
    }
    PreparedMounts mounts = in_stage(timeline, kStagePrepare, [&] {
        launch.journal = JournalLink(input.plan.journal, input.plan.id_map);
        return prepare_mounts(input.plan, input.tree, input.custom_mounts);
    });

    Pty pty;
    in_stage(timeline, kStageConsole, [&] {
        if (input.plan.console != ConsoleMode::pipe) {
            pty = open_pty(mounts.devpts.get()).or_throw("");
            if (has_private_users(input.plan)) {
                check(fchown(pty.slave.get(), root_user_on_host(input.plan), static_cast<gid_t>(-1)), "fchown")
                    .or_throw("");
            }
            set_console_size(pty, input.plan);
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

    UniqueFd joined;
    if (input.plan.network.joins()) {
        joined = in_stage(timeline, kStageJoin, [&] { return open_joined_namespace(input.plan.network); });
    }
    if (limits_resources(input.plan)) {
        in_stage(timeline, kStageLimits, [&] { limit_resources(launch, input.plan); });
    }
    const NoUmask no_umask;
    in_stage(timeline, kStageStart, [&] {
        Pidfd started = start_child(ChildInput{.plan = input.plan,
                                               .supervisor = *child_end,
                                               .supervisors_end = *launch.handshake,
                                               .timeline = timeline,
                                               .cgroup = launch.cgroup ? launch.cgroup->descriptor() : -1,
                                               .root = mounts.root,
                                               .old_root = mounts.old_root,
                                               .volatile_usr = mounts.volatile_usr,
                                               .host_mounts = mounts.host,
                                               .custom_mounts = mounts.custom,
                                               .host_files = mounts.host_files,
                                               .journal = launch.journal,
                                               .devpts = mounts.devpts,
                                               .pty_peer = pty.slave.get(),
                                               .pty_number = pty.number,
                                               .network_namespace = joined.get(),
                                               .notify_socket = launch.notify_socket.get(),
                                               .stub_init = stub_init.get(),
                                               .exec_failure = exec_failure.get(),
                                               .no_groups = input.host.no_groups,
                                               .ignored_signals = input.host.ignored_signals,
                                               .bounding_set = input.host.bounding_set,
                                               .nested = input.host.facts.nested,
                                               .own_cgroup = launch.cgroup.has_value(),
                                               .testing_faults = std::getenv("NSPAWN_FAULT") != nullptr});
        (has_private_users(input.plan) ? launch.helper : launch.leader) = std::move(started);
    });
    if (mounts.overlay) {
        launch.overlay.emplace(std::move(*mounts.overlay));
    }
    child_end.reset();                 // so that its end can be seen
    if (waits_for_hooks(input.plan)) { // which want to see the network, and hold the child up
        make_network(launch, input, joined);
        await_leader(launch);
        in_stage(timeline, kStageHooks, [&] { run_runtime_hooks(launch, input.plan); });
        make_while_child_works(launch, input);
    } else { // the child waits for what it mounts, and only its payload for the network
        make_while_child_works(launch, input);
        make_network(launch, input, joined);
    }
    in_stage(timeline, kStageDevicePolicy, [&] { set_device_policy(launch, input, mounts.custom); });
    await_leader(launch);
    launch.pty_master = std::move(pty.master);
    return launch;
}

void answer_report(Launch& launch, const Plan& plan, const Message& report, Timeline& timeline) {
    const std::optional<MountProblem> problem =
        in_stage(timeline, kStageReadBack, [&] { return find_mount_problem(plan, report.text, launch.leader.pid()); });
    if (problem) {
        tell_child(*launch.handshake, MessageKind::refused,
                   *problem); // which says so; one that has ended does not hear
        return;
    }
    if (launch.network_worker.is_running()) {
        in_stage(timeline, kStageAwaitNetwork, [&] { launch.network_worker.await_ready(); });
    }
    in_stage(timeline, kStageGo, [&] {
        launch.journal.complete(report.code == 1);
        let_payload_run(launch);
    });
}

// The network that the payload has by now need not be the one that it was given.
void restart_network_worker(Launch& launch, const Plan& plan) {
    const UniqueFd network = open_network_namespace(launch.leader.pid()).or_throw("the container's network");
    if (network_namespace_number(network.get()).or_throw("the container's network") != launch.network_number) {
        throw Error("the container's first process has left the network that it was given");
    }
    NetworkRequest request = network_request(launch, plan);
    request.again = true;
    launch.network_worker = NetworkWorker(request, launch.record, true);
    launch.network_worker.enter(network);
}

void reap_helper(Launch& launch) {
    if (launch.helper.valid()) {
        (void)launch.helper.wait();
        launch.helper = Pidfd();
    }
}

std::vector<const char*> supervisor_stage_names(const Plan& plan) {
    std::vector<const char*> names = {kStageCgroup,       kStagePrepare,  kStageConsole,
                                      kStageSockets,      kStageStart,    kStageMakeIncoming,
                                      kStageDevicePolicy, kStageReadBack, kStageGo};
    if (!plan.unix_export.empty()) {
        names.insert(std::find(names.begin(), names.end(), kStagePrepare), kStageExport);
    }
    if (plan.network.joins()) {
        names.insert(std::find(names.begin(), names.end(), kStageStart), kStageJoin);
    }
    if (has_network_of_its_own(plan)) {
        const char* const next = waits_for_hooks(plan) ? kStageMakeIncoming : kStageDevicePolicy;
        names.insert(std::find(names.begin(), names.end(), next), kStageNetwork);
    }
    if (limits_resources(plan)) {
        names.insert(std::find(names.begin(), names.end(), kStageStart), kStageLimits);
    }
    if (needs_network_worker(plan)) {
        names.insert(names.begin(), kStageStartNetwork);
        names.insert(std::find(names.begin(), names.end(), kStageGo), kStageAwaitNetwork);
    }
    if (has_lease(plan)) {
        names.insert(names.begin(), kStageLease);
    }
    if (waits_for_hooks(plan)) {
        names.insert(std::find(names.begin(), names.end(), kStageMakeIncoming), kStageHooks);
    }
    if (supervisor_makes_dev(plan)) {
        names.insert(std::find(names.begin(), names.end(), kStageMakeIncoming), kStageMakeDev);
    }
    return names;
}

} // namespace nspawn
