// Stages of the child that exchange the host's file system tree for the container's.

#include "base/file.hpp"
#include "run/child_state.hpp"
#include "run/joined_namespace.hpp"

#include <fmt/format.h>

#include <csignal>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

void die_with_supervisor(ChildState& state) {
    state.input.supervisors_end.close();
    // When it has died before this, nobody holds the other end of the socket: the first message to it then fails.
    check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)").or_throw("");
}

namespace {

constexpr uint64_t kProcAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
constexpr const char* kCoveredHint =
    "The kernel gives out a new one only where an uncovered one can be seen, and parts of the one here are covered. "
    "Where this is a container itself, start that one so that its /proc and /sys are uncovered.";

MountFd make_visible(Result<MountFd> mount, const char* type) {
    if (mount.error() == EPERM) {
        throw Error(fmt::format("{}: {}", type, error_text(EPERM)), kCoveredHint).with_code(EPERM);
    }
    return std::move(mount).or_throw(type);
}

// Those of the plan's own /proc; a bundle may have some.
const std::vector<MountOption>& proc_options(const Plan& plan) {
    return std::get<MountFileSystem>(plan.groups.front().operations.front()).options;
}

// By a process that is in the pid namespace, for kernels that show no other: it shares our descriptors.
Result<MountFd> proc_from_inside(const UniqueFd& pid_namespace, std::span<const MountOption> options) {
    if (setns(pid_namespace.get(), CLONE_NEWPID) < 0) {
        return last_error("setns");
    }
    Pidfd inside = clone_process({.flags = CLONE_FILES}).or_throw("");
    if (!inside.valid()) {
        Result<MountFd> mount = MountFd::create("proc", options, kProcAttributes);
        const int fd = mount.ok() ? mount.value().get() : -1;
        if (mount.ok()) {
            mount.value().leave_open();
        }
        _exit(fd < 0 || fd > UINT8_MAX ? 0 : fd);
    }
    const ProcessEnd end = inside.wait().or_throw("");
    if (!end.exited || end.status == 0) {
        return SystemError{EPERM, "fsmount"};
    }
    return MountFd(UniqueFd(end.status));
}

Result<MountFd> make_proc(const ChildState& state) {
    const std::vector<MountOption>& options = proc_options(state.plan);
    const bool sees_other_processes =
        (state.plan.namespaces & CLONE_NEWPID) != 0 || find_joined_pid_namespace(state.plan.oci.get()) != nullptr;
    if (!state.contained.valid() || !sees_other_processes) {
        return MountFd::create("proc", options, kProcAttributes);
    }
    const std::string path = fmt::format("/proc/{}/ns/pid", state.contained.pid());
    const UniqueFd pid_namespace = open_at(AT_FDCWD, path.c_str(), O_RDONLY).or_throw(path);
    Result<MountFd> mount = MountFd::create_proc(pid_namespace.get(), options, kProcAttributes);
    return mount.error() == EINVAL ? proc_from_inside(pid_namespace, options) : std::move(mount);
}

} // namespace

// Only where they could not be had later: /proc of other processes, and in a user namespace both.
void prepare_kernel_file_systems(ChildState& state) {
    if (state.contained.valid() || state.input.nested) {
        state.proc = make_visible(make_proc(state), "proc");
    }
    if (state.input.nested && state.plan.private_network) {
        state.sys = make_visible(MountFd::create("sysfs", {}, MOUNT_ATTR_RDONLY | kProcAttributes), "sysfs");
    }
}

void detach_from_host(ChildState&) {
    // Slave, not private: what the host mounts or unmounts later still arrives until the tree is left, and nothing
    // that is done here ever reaches the host.
    set_mount_attributes(AT_FDCWD, "/", 0, 0, Propagation::slave, Recursive::yes).or_throw("");
}

void enter_root(ChildState& state) {
    // On top of "/" itself: a path that cannot have been exchanged meanwhile, and that every tree can use.
    state.input.root.attach(AT_FDCWD, "/").or_throw("attaching the container's tree");
    check(fchdir(state.input.root.get()), "fchdir").or_throw("");
    pivot_to_working_directory().or_throw("");
}

namespace {

// The root directory is the container's by now: a path cannot leave it, whatever links are on the way.
void attach_old_root(const ChildState& state) {
    const std::string& place = state.plan.pivot_root.old_root;
    const std::string doing = fmt::format("--pivot-root=: the old root on {}", place);
    for (size_t slash = place.find('/', 1); slash != std::string::npos; slash = place.find('/', slash + 1)) {
        mkdir(place.substr(0, slash).c_str(), 0755); // whether it is there now is told by what comes next
    }
    mkdir(place.c_str(), 0755);
    // Without links, so that it is where the read-back looks for it.
    const UniqueFd target =
        open_in_root(AT_FDCWD, place.c_str(), O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS).or_throw(doing);
    state.input.old_root.attach_onto(target.get()).or_throw(doing);
}

} // namespace

void leave_host_tree(ChildState& state) {
    // The old root lies on top of the new one since pivot_root(".", "."), pivot_root(2).
    check(umount2(".", MNT_DETACH), "umount2").or_throw("letting go of the host's tree");
    if (state.input.old_root.valid()) {
        attach_old_root(state);
    }
}

} // namespace nspawn
