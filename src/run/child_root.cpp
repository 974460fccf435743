// Stages of the child that exchange the host's file system tree for the container's.

#include "base/file.hpp"
#include "run/child_state.hpp"

#include <fmt/format.h>

#include <csignal>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

void die_with_supervisor(ChildState& state) {
    state.input.supervisors_end.close();
    // When it has died before this, nobody holds the other end of the socket: the first message to it then fails.
    check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)").or_throw("");
    umask(0); // modes in the plan are meant as written; set to 0022 before the payload runs
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
    state.input.supervisor.send(MessageKind::host_left).or_throw("");
    if (state.input.old_root.valid()) {
        attach_old_root(state);
    }
}

} // namespace nspawn
