// Stages of the child that make it the process the payload expects to be: session, limits, user, privileges.

#include "base/file.hpp"
#include "base/text.hpp"
#include "run/child_state.hpp"
#include "run/user_query.hpp"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nspawn {

Result<void> write_proc_file(const char* path, std::string_view value) {
    Result<UniqueFd> file = open_at(AT_FDCWD, path, O_WRONLY | O_NOFOLLOW);
    if (!file.ok()) {
        return file.system_error();
    }
    const int fd = file.value().release(); // closed by the exec
    struct statfs system {};
    if (fstatfs(fd, &system) < 0) {
        return last_error("fstatfs");
    }
    if (system.f_type != PROC_SUPER_MAGIC) {
        return SystemError{EXDEV, "write"};
    }
    return write_all(fd, value);
}

namespace {

void take_console(ChildState& state) {
    const int terminal = state.input.pty_peer;
    if (terminal < 0) {
        return;
    }
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        check(dup2(terminal, stream), "dup2").or_throw("console");
    }
}

} // namespace

// The id that audit records would carry: none, so that logins inside can set their own.
void reset_login_uid(ChildState& state) {
    const Result<void> reset = write_proc_file("/proc/self/loginuid", "4294967295");
    if (!reset.ok() && reset.error() != ENOENT) {
        state.warn(fmt::format("the audit login uid cannot be reset: {}", error_text(reset.error())));
    }
}

void give_streams(uid_t user, gid_t group, bool terminals) {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        struct stat status {};
        if (fstat(stream, &status) == 0 && (terminals || S_ISFIFO(status.st_mode))) {
            (void)fchown(stream, user, group);
        }
    }
}

void start_session(ChildState& state) {
    check(setsid(), "setsid").or_throw("");
    take_console(state);
    // The caller's keys are not the container's: an anonymous session keyring of its own.
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 && errno != ENOSYS && errno != EPERM) {
        throw_system_error(errno, "keyctl", "joining a new session keyring");
    }
    if (!has_private_users(state.plan)) { // else its helper has done it
        reset_login_uid(state);
    }
}

// Before anything that shows a network is mounted, and with private users before the child is made, which has no
// power to do so.
void join_network(ChildState& state) {
    if (state.input.network_namespace >= 0) {
        check(setns(state.input.network_namespace, CLONE_NEWNET), "setns").or_throw("");
    }
}

void bring_up_loopback(ChildState& state) {
    if (!state.plan.private_network) {
        return;
    }
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        throw_system_error(errno, "socket", "");
    }
    ifreq request{};
    std::strcpy(static_cast<char*>(request.ifr_name), "lo");
    request.ifr_flags = IFF_UP | IFF_LOOPBACK;
    const Result<void> up = check(ioctl(socket.get(), SIOCSIFFLAGS, &request), "ioctl(SIOCSIFFLAGS)");
    if (up.error() == EPERM && state.plan.network.joins()) {
        return; // with private users; a network that somebody else made has it on, or not
    }
    if (up.error() == EPERM) {
        throw Error(fmt::format("ioctl(SIOCSIFFLAGS): {}", error_text(EPERM)),
                    "A private network needs CAP_NET_ADMIN.");
    }
    up.or_throw("");
}

namespace {

void set_affinity(const std::vector<unsigned>& cpus) {
    const size_t count = cpus.back() + 1;
    cpu_set_t* set = CPU_ALLOC(count);
    if (set == nullptr) {
        throw_system_error(ENOMEM, "", "CPU affinity");
    }
    CPU_ZERO_S(CPU_ALLOC_SIZE(count), set);
    for (const unsigned cpu : cpus) {
        CPU_SET_S(cpu, CPU_ALLOC_SIZE(count), set);
    }
    const Result<void> done = check(sched_setaffinity(0, CPU_ALLOC_SIZE(count), set), "sched_setaffinity");
    CPU_FREE(set);
    done.or_throw("CPU affinity");
}

} // namespace

void set_process_attributes(ChildState& state) {
    const Plan& plan = state.plan;
    if (plan.oom_score_adjust && !has_private_users(plan)) { // else its helper has done it
        write_proc_file("/proc/self/oom_score_adj", fmt::format("{}", *plan.oom_score_adjust))
            .or_throw("oom_score_adj");
    }
    if (!plan.cpu_affinity.empty()) {
        set_affinity(plan.cpu_affinity);
    }
    if ((plan.namespaces & CLONE_NEWUTS) != 0) {
        check(sethostname(plan.hostname.data(), plan.hostname.size()), "sethostname").or_throw(plan.hostname);
    }
    if (plan.personality) {
        set_personality(plan.personality->value).or_throw(plan.personality->name);
    }
    for (size_t resource = 0; resource < plan.limits.size(); ++resource) {
        apply_resource_limit(static_cast<int>(resource), plan.limits[resource])
            .or_throw(resource_name(static_cast<int>(resource)));
    }
    if (!plan.selinux_context.empty()) {
        write_proc_file("/proc/self/attr/exec", plan.selinux_context).or_throw("SELinux context");
    }
}

void look_up_user(ChildState& state) {
    const PayloadUser& wanted = state.plan.payload.user;
    state.user = wanted.record ? *wanted.record : query_user_inside(wanted.name, state);
}

void limit_capabilities(ChildState& state) {
    drop_bounding_set_except(state.plan.capabilities.bounding, state.input.bounding_set).or_throw("bounding set");
}

void wait_for_verdict(ChildState& state) {
    const Message verdict = hear_supervisor(state);
    if (verdict.kind == MessageKind::refused) {
        const std::string& target = verdict.text;
        if (verdict.code == ENOENT) {
            explain_mount_target(target, verdict.code);
        }
        throw Error(fmt::format("{} {}", target, verdict.hint),
                    "The container would be less confined than it looks; it is not started.");
    }
    if (verdict.kind != MessageKind::go) {
        throw Error("the supervisor answers out of turn");
    }
}

namespace {

// The home of the user, made where it is missing: 0755 and theirs, its parents 0775 (spec A.2).
void make_home(const UserRecord& user) {
    std::string path;
    for (const std::string_view component : split_any(user.home, "/")) {
        const std::string parent = path.empty() ? "/" : path;
        path.append("/").append(component);
        const bool last = path.size() >= user.home.size();
        const Result<UniqueFd> directory = open_in_root(AT_FDCWD, parent.c_str(), O_PATH | O_DIRECTORY);
        if (!directory.ok()) {
            return;
        }
        const std::string name(component);
        if (mkdirat(directory.value().get(), name.c_str(), last ? 0755 : 0775) < 0) {
            if (errno == EEXIST) {
                continue;
            }
            return; // a read-only tree is no reason not to run
        }
        const Result<UniqueFd> made = open_at(directory.value().get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW);
        if (last && made.ok()) {
            (void)fchownat(made.value().get(), "", user.uid, user.gid, AT_EMPTY_PATH);
        }
    }
}

void enter_working_directory(const ChildState& state) {
    const Payload& payload = state.plan.payload;
    const bool shell = payload.words.empty() && payload.mode == StartMode::pid1;
    const std::string path = !payload.working_directory.empty() ? payload.working_directory
                             : shell                            ? state.user.home
                                                                : "/";
    if (path == "/") {
        return; // where enter_root() has put us
    }
    // No magic links: one of them could lead to a descriptor of ours, and so out of the container.
    const Result<UniqueFd> directory = open_in_root(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY);
    const Result<void> entered =
        directory.ok() ? check(fchdir(directory.value().get()), "chdir") : Result<void>(directory.system_error());
    if (!entered.ok() && !payload.working_directory.empty()) {
        entered.or_throw("working directory " + path);
    }
}

void switch_ids(const UserRecord& user) {
    check(setgroups(user.groups.size(), user.groups.data()), "setgroups").or_throw("");
    check(setresgid(user.gid, user.gid, user.gid), "setresgid").or_throw("");
    // The capabilities are taken away deliberately in the next stage, not as a side effect of this.
    check(prctl(PR_SET_KEEPCAPS, 1), "prctl(PR_SET_KEEPCAPS)").or_throw("");
    check(setresuid(user.uid, user.uid, user.uid), "setresuid").or_throw("");
    // A change of ids forgets it.
    check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)").or_throw("");
}

bool is_already(const ChildState& state, const UserRecord& user) {
    return user.uid == 0 && user.gid == 0 && user.groups.empty() && state.input.no_groups;
}

void regain_effective_capabilities() {
    CapabilitySets sets = read_own_capabilities().or_throw("");
    sets.effective = sets.permitted;
    set_capabilities(sets).or_throw("");
}

} // namespace

void become_user(ChildState& state) {
    const UserRecord& user = state.user;
    if (user.uid != 0) {
        make_home(user);
        give_streams(user.uid, static_cast<gid_t>(-1), state.input.pty_peer >= 0);
    }
    const OciRuntime* const bundle = state.plan.oci.get();
    umask(bundle != nullptr && bundle->user ? bundle->user->umask.value_or(0022) : 0022);
    if (!is_already(state, user)) {
        // The effective set goes with the ids; it comes back for the next stage, which needs it to load the filter.
        switch_ids(user);
        if (user.uid != 0) {
            regain_effective_capabilities();
        }
    }
    enter_working_directory(state);
}

void load_payload_filter(const Plan& plan) {
    if (plan.oci && plan.oci->seccomp) {
        const SeccompRules& rules = *plan.oci->seccomp;
        load_filter(build_rule_filter(rules), rules.log ? LogRefusals::yes : LogRefusals::no)
            .or_throw("system call filter");
    } else if (plan.filter) {
        const std::vector<sock_filter> filter = build_filter(*plan.filter);
        load_filter(filter, plan.log_refused_calls ? LogRefusals::yes : LogRefusals::no).or_throw("system call filter");
    }
}

namespace {

// Nothing is left to be done that the filter could refuse: it is ours, and no call was taken out of it by name; nobody
// has to be looked up or become somebody else; and no hook is run.
bool can_be_filtered(const ChildState& state) {
    const Plan& plan = state.plan;
    const std::optional<UserRecord>& user = plan.payload.user.record;
    return plan.filter && plan.filter->deny.empty() && !plan.oci && user && is_already(state, *user);
}

void confine_calls(ChildState& state) {
    if (state.plan.no_new_privileges) {
        check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)").or_throw("");
    }
    load_payload_filter(state.plan);
    state.calls_are_confined = true;
}

} // namespace

void confine_calls_early(ChildState& state) {
    if (can_be_filtered(state)) {
        confine_calls(state);
    }
}

void confine(ChildState& state) {
    const Plan& plan = state.plan;
    const CapabilityMask kept = plan.capabilities.bounding;
    const bool root = state.user.uid == 0;
    // Before the capabilities go: without CAP_SYS_ADMIN a filter needs no_new_privs.
    if (!state.calls_are_confined) {
        confine_calls(state);
    }
    // Inheritable and ambient stay empty unless asked for: they would survive an exec that should have shed them.
    CapabilitySets sets;
    sets.bounding = kept;
    sets.permitted = root ? kept : plan.capabilities.ambient;
    sets.effective = sets.permitted;
    sets.inheritable = plan.capabilities.ambient;
    sets.ambient = plan.capabilities.ambient;
    set_capabilities(plan.capabilities.exact.value_or(sets)).or_throw("capabilities");
}

} // namespace nspawn
