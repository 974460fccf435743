// Stages of the child that has users of its own, and of its helper, in which the two of them meet.
//
// The helper makes the child, a sibling of its own, gives it its ids and joins the namespaces that file systems show;
// the child waits until the tree is complete and takes a copy of the helper's mount namespace.

#include "base/file.hpp"
#include "image/private_users.hpp"
#include "linux/file_system_user.hpp"
#include "run/child_state.hpp"
#include "run/verify_mounts.hpp"

#include <fmt/format.h>

#include <csignal>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace nspawn {

namespace {

// Those of the container that file systems are mounted from.
constexpr uint64_t kShownNamespaces = CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;
// Made with the child; the mount and the cgroup namespace are its own to make, later.
constexpr uint64_t kBornNamespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;

std::string proc_path(const ChildState& state, const char* name) {
    return fmt::format("/proc/{}/{}", state.contained.pid(), name);
}

} // namespace

// What takes privileges over the host, and is inherited by the child.
void grant_privileges(ChildState& state) {
    const Plan& plan = state.plan;
    for (size_t resource = 0; resource < plan.limits.size(); ++resource) {
        allow_resource_limit(static_cast<int>(resource), plan.limits[resource].rlim_max)
            .or_throw(resource_name(static_cast<int>(resource)));
    }
    if (plan.oom_score_adjust) {
        write_proc_file("/proc/self/oom_score_adj", fmt::format("{}", *plan.oom_score_adjust))
            .or_throw("oom_score_adj");
    }
    reset_login_uid(state);
    give_streams(root_user_on_host(plan), root_group_on_host(plan), false);
}

void start_contained_process(ChildState& state) {
    auto ends = Handshake::create().or_throw("");
    // Its parent is the supervisor, which waits for it, and with which it dies.
    Result<Pidfd> contained = clone_process(
        {.flags = CLONE_PARENT | (state.plan.namespaces & kBornNamespaces), .cgroup = state.input.cgroup});
    if (contained.ok() && !contained.value().valid()) {
        ends.first.close();
        state.peer.emplace(std::move(ends.second));
        run_contained(state);
    }
    if (contained.error() == ENOSPC || contained.error() == EUSERS || contained.error() == EPERM) {
        throw Error(fmt::format("a new user namespace: {}", error_text(contained.error())), kNoUserNamespaceHint)
            .with_code(contained.error());
    }
    state.contained = std::move(contained).or_throw("");
    state.peer.emplace(std::move(ends.first));
    const int fd = state.contained.get();
    state.input.supervisor.send(MessageKind::born, state.contained.pid(), {}, {}, std::span(&fd, 1)).or_throw("");
}

void map_users(ChildState& state) {
    const Plan& plan = state.plan;
    const Result<void> written = write_id_maps(state.contained.pid(), plan.id_map);
    if (written.error() == EPERM) {
        throw Error(
            fmt::format("users {}: {}", describe_id_ranges(plan.id_map.users), error_text(EPERM)),
            "Not all of these ids may be given away here: see /proc/self/uid_map, and CAP_SETUID, CAP_SETGID and "
            "(for id 0) CAP_SETFCAP in /proc/self/status.")
            .with_code(EPERM);
    }
    written.or_throw("users");
    if (!plan.map_tree || plan.root == RootKind::volatile_overlay) {
        return;
    }
    const UniqueFd users = open_at(AT_FDCWD, proc_path(state, "ns/user").c_str(), O_RDONLY).or_throw("users");
    const MountFd& tree = plan.root == RootKind::volatile_usr ? state.input.volatile_usr : state.input.root;
    try {
        tree.set_id_map(users.get(), Recursive::yes).or_throw("an id-mapped mount of the tree");
        if (state.input.old_root.valid()) {
            state.input.old_root.set_id_map(users.get(), Recursive::yes).or_throw("an id-mapped mount of the tree");
        }
    } catch (Error& error) {
        throw explain_id_map(std::move(error));
    }
}

void join_namespaces(ChildState& state) {
    if (!state.peer->receive().or_throw("")) {
        _exit(EXIT_FAILURE); // the child has said why
    }
    if (const uint64_t shown = state.plan.namespaces & kShownNamespaces; shown != 0) {
        check(setns(state.contained.get(), static_cast<int>(shown)), "setns").or_throw("");
    }
}

void become_container_root_for_files(ChildState& state) {
    FileSystemUser(root_user_on_host(state.plan), root_group_on_host(state.plan)).keep();
    check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)").or_throw(""); // forgotten with a change of ids
}

void hand_over_tree(ChildState& state) {
    state.peer->send(MessageKind::tree_ready, 0, number_operations(state.plan, state.left_out)).or_throw("");
    ::close(state.input.supervisor.fd()); // it hears from the child alone now, its end of file too
    // The mount namespace that the child has copied goes with us, and that would keep it waiting now.
    (void)state.peer->receive();
    _exit(EXIT_SUCCESS);
}

void await_tree(ChildState& state) {
    check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)").or_throw("");
    const Plan& plan = state.plan;
    if ((plan.namespaces & CLONE_NEWCGROUP) != 0) {
        check(unshare(CLONE_NEWCGROUP), "unshare(CLONE_NEWCGROUP)").or_throw("");
    }
    // A helper that has failed already has said why.
    const Result<void> told = state.peer->send(MessageKind::ready);
    const std::optional<Message> message = told.ok() ? state.peer->receive().or_throw("") : std::nullopt;
    if (!message) {
        _exit(EXIT_FAILURE);
    }
    state.left_out_by_helper = message->text;
    check(setresgid(0, 0, 0), "setresgid").or_throw("");
    check(setresuid(0, 0, 0), "setresuid").or_throw("");
    check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)").or_throw(""); // forgotten with a change of ids
    // The root has come with the helper's pivot_root(2), the working directory was the caller's.
    check(chdir("/"), "chdir").or_throw("");
    check(unshare(CLONE_NEWNS), "unshare(CLONE_NEWNS)").or_throw("");
}

} // namespace nspawn
