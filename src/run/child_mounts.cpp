// Stages of the child that carry out the plan's operations on the tree. The process's root is the container's by now,
// so an absolute path cannot leave it; only the top-level directories are content of the (hostile) tree, and those are
// never followed when they are symbolic links.

#include "base/file.hpp"
#include "image/os_tree_check.hpp"
#include "plan/mount_table.hpp"
#include "run/child_state.hpp"
#include "run/device_directory.hpp"
#include "run/make_entry.hpp"
#include "run/notify_socket.hpp"
#include "run/verify_mounts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace nspawn {

namespace {

// A failure that the operation permits is noted or told; any other becomes the stage's error.
class Outcome {
public:
    Outcome(ChildState& state, const Operation& operation) : state_(state), operation_(operation) {}

    // True when `result` is a success.
    bool accept(const Result<void>& result, Importance importance, std::string_view doing) const {
        if (result.ok()) {
            return true;
        }
        const bool missing = result.error() == ENOENT;
        if (importance == Importance::required || (importance == Importance::if_present && !missing)) {
            result.or_throw(doing);
        }
        if (importance == Importance::optional) {
            state_.warn(fmt::format("{}: {}", doing, error_text(result.error())));
        }
        state_.left_out.push_back(&operation_);
        return false;
    }

private:
    ChildState& state_;
    const Operation& operation_;
};

Result<void> make_missing_directory(const std::string& path) {
    if (mkdir(path.c_str(), 0755) < 0 && errno != EEXIST) {
        return last_error("mkdir");
    }
    return {};
}

struct TargetFacts {
    bool is_mount = false;
    bool is_link = false;
};

TargetFacts look_at(const std::string& target) {
    struct statx status {};
    if (statx(AT_FDCWD, target.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) < 0) {
        return {};
    }
    return {(status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0, S_ISLNK(status.stx_mode)};
}

Result<void> mount_here(const ChildState& state, const MountFileSystem& what) {
    const MountFd* const prepared =
        what.target == kDevicePath && state.dev.valid() ? &state.dev : find_prepared(state, what.type);
    const auto mount = [&] {
        if (prepared != nullptr) {
            return prepared->attach(AT_FDCWD, what.target.c_str());
        }
        return mount_file_system(what.type.c_str(), what.target.c_str(), what.options, what.attributes);
    };
    const Result<void> mounted = mount();
    if (mounted.error() == ENOENT && make_missing_directory(what.target).ok()) {
        return mount();
    }
    if (mounted.error() == EBUSY) {
        // The same file system is there already, and mount(2) sees no sense in that; but it is another view of it.
        const Result<MountFd> another = MountFd::create(what.type.c_str(), what.options, what.attributes);
        return another.ok() ? another.value().attach(AT_FDCWD, what.target.c_str()) : another.system_error();
    }
    return mounted;
}

// For a target of the tree that may be a link, which must not lead out of it nor through a magic link.
Result<void> mount_behind_link(const MountFileSystem& what) {
    const Result<UniqueFd> target = open_in_root(AT_FDCWD, what.target.c_str(), O_PATH | O_DIRECTORY);
    if (!target.ok()) {
        return target.system_error();
    }
    const Result<MountFd> mount = MountFd::create(what.type.c_str(), what.options, what.attributes);
    return mount.ok() ? mount.value().attach_onto(target.value().get()) : Result<void>(mount.system_error());
}

void perform(ChildState& state, const Operation& operation, const MountFileSystem& what) {
    const std::string doing = fmt::format("{} on {}", what.type, what.target);
    Result<void> mounted;
    if (what.keep_existing_mount) {
        const TargetFacts target = look_at(what.target);
        if (target.is_mount) {
            state.left_out.push_back(&operation);
            return;
        }
        mounted = target.is_link ? mount_behind_link(what) : mount_here(state, what);
    } else {
        mounted = mount_here(state, what);
        if (!mounted.ok() && what.importance == Importance::required) {
            explain_mount_target(what.target, mounted.error());
        }
    }
    Outcome(state, operation).accept(mounted, what.importance, doing);
}

void perform(ChildState& state, const Operation&, const MountParts& what) { mount_parts(state, what); }

void perform(ChildState& state, const Operation& operation, const BindInside& what) {
    const std::string doing = fmt::format("{} on {}", what.source, what.target);
    const Outcome outcome(state, operation);
    if (what.mask) {
        // Takes over the attributes of the sealed /run/host; that it has them all is read back.
        outcome.accept(bind_mount(what.source.c_str(), what.target.c_str()), what.importance, doing);
        return;
    }
    Result<MountFd> mount =
        MountFd::clone_with(AT_FDCWD, what.source.c_str(), Recursive::no, {what.attributes, what.cleared});
    Result<void> done = mount.system_error();
    if (mount.ok()) {
        done = mount.value().attach(AT_FDCWD, what.target.c_str());
        mount.value().leave_open();
    }
    outcome.accept(done, what.importance, doing);
}

const MountFd* find_host_mount(const ChildState& state, const BindFromHost& operation) {
    const auto& mounts = state.input.host_mounts;
    const auto found = std::find_if(mounts.begin(), mounts.end(),
                                    [&](const HostMount& mount) { return mount.operation == &operation; });
    return found == mounts.end() ? nullptr : &found->mount;
}

void perform(ChildState& state, const Operation& operation, const BindFromHost& what) {
    const std::string doing = fmt::format("{} of the host on {}", what.source, what.target);
    const Outcome outcome(state, operation);
    const MountFd* const mount = what.receive_mounts ? &state.incoming : find_host_mount(state, what);
    if (mount == nullptr || !mount->valid()) {
        state.left_out.push_back(&operation);
        return;
    }
    if (what.create_target_file) {
        const UniqueFd made(open(what.target.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0));
        if (!made) {
            outcome.accept(last_error("open"), what.importance, doing);
            return;
        }
    }
    outcome.accept(mount->attach(AT_FDCWD, what.target.c_str()), what.importance, doing);
}

void perform(ChildState&, const Operation&, const MakeDirectory& what) {
    make_entry(AT_FDCWD, what.path.c_str(), what).or_throw(what.path);
}

void perform(ChildState&, const Operation&, const MakeFile& what) {
    make_entry(AT_FDCWD, what.path.c_str(), what).or_throw(what.path);
}

void perform(ChildState&, const Operation&, const MakeSymlink& what) {
    make_entry(AT_FDCWD, what.path.c_str(), what).or_throw(what.path);
}

// Has a stage of its own.
void perform(ChildState&, const Operation&, const MountCustom&) {}

void perform(ChildState& state, const Operation& operation, const MakeNode& what) {
    const Result<void> made = make_entry(AT_FDCWD, what.path.c_str(), what);
    Outcome(state, operation).accept(made, what.importance, what.path);
}

} // namespace

const MountFd* find_prepared(const ChildState& state, std::string_view type) {
    const MountFd& prepared = type == "proc" ? state.proc : state.sys;
    return prepared.valid() && (type == "proc" || type == "sysfs") ? &prepared : nullptr;
}

void explain_mount_target(const std::string& target, int code) {
    struct stat status {};
    if (lstat(target.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
        throw Error(
            fmt::format("{} in the tree is {}", target, S_ISLNK(status.st_mode) ? "a symbolic link" : "no directory"),
            "It has to be a real directory, since a file system is mounted on it.")
            .with_code(code);
    }
}

void run_group(ChildState& state, std::string_view stage) {
    for (const OperationGroup& group : state.plan.groups) {
        if (group.stage != stage) {
            continue;
        }
        for (const Operation& operation : group.operations) {
            if (state.dev.valid() && stage == kStageDevices && is_in_device_directory(operation)) {
                continue; // came with the mount
            }
            std::visit([&](const auto& what) { perform(state, operation, what); }, operation);
        }
    }
}

namespace {

// Only when they are needed: the supervisor is still at work on them when the child could ask first.
void take_prepared(ChildState& state) {
    if (state.has_prepared) {
        return;
    }
    Message message = hear_supervisor(state);
    const size_t first = supervisor_makes_dev(state.plan) ? 1 : 0;
    if (message.kind != MessageKind::prepared || message.fds.size() < first) {
        throw Error("the supervisor answers out of turn");
    }
    if (first != 0) {
        state.dev = MountFd(std::move(message.fds.front()));
    }
    if (message.fds.size() > first) {
        state.incoming = MountFd(std::move(message.fds[first]));
    }
    state.has_prepared = true;
}

} // namespace

void mount_proc(ChildState& state) { run_group(state, kStageProc); }

void mount_api_file_systems(ChildState& state) {
    if (state.input.volatile_usr.valid()) {
        state.input.volatile_usr.attach(AT_FDCWD, "/usr").or_throw("/usr of the tree");
        const UniqueFd root = open_at(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY).or_throw("volatile root");
        make_base_directories(root.get(), TopLevel(root.get()));
    }
    if (state.plan.root == RootKind::volatile_state) {
        const MountFileSystem var{"tmpfs", "/var", state.plan.volatile_options, MOUNT_ATTR_STRICTATIME};
        const Operation operation = var;
        perform(state, operation, var);
    }
    if (supervisor_makes_dev(state.plan)) {
        take_prepared(state);
    }
    run_group(state, kStageApiFileSystems);
}

void make_device_nodes(ChildState& state) {
    run_group(state, kStageDevices);
    if (state.input.devpts.valid()) {
        state.input.devpts.attach(AT_FDCWD, "/dev/pts").or_throw("devpts on /dev/pts");
    }
    if (state.input.pty_peer >= 0) {
        const std::string target = fmt::format("pts/{}", state.input.pty_number);
        check(symlink(target.c_str(), "/dev/console"), "symlink").or_throw("/dev/console");
    }
}

void make_host_directory(ChildState& state) {
    run_group(state, kStageHostDirectory);
    bind_notify_socket(state.input.notify_socket, kNotifySocketPath).or_throw(kNotifySocketPath);
}

void place_credentials(ChildState& state) {
    const Plan& plan = state.plan;
    if (plan.credentials.empty()) {
        return;
    }
    const bool open = plan.credentials_world_readable;
    const std::vector<MountOption> options = {{"mode", open ? "0555" : "0500"}};
    const MountFd mount =
        MountFd::create("ramfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC).or_throw("ramfs");
    for (const Credential& credential : plan.credentials) {
        const UniqueFd file =
            open_at(mount.get(), credential.id.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, open ? 0444 : 0400)
                .or_throw(credential.id);
        write_all(file.get(), credential.content).or_throw(credential.id);
    }
    mount.make_file_system_read_only().or_throw(kCredentialsPath);
    mount.set_attributes(MOUNT_ATTR_RDONLY, 0, Propagation::unchanged, Recursive::no).or_throw(kCredentialsPath);
    mount.attach(AT_FDCWD, kCredentialsPath).or_throw(kCredentialsPath);
}

void seal_host_directory(ChildState& state) { run_group(state, kStageSealHostDirectory); }

void mask_kernel_interfaces(ChildState& state) { run_group(state, kStageMasks); }

namespace {

constexpr const char* kBootIdFile = "/proc/sys/kernel/random/boot_id";
constexpr const char* kKernelLog = "/proc/kmsg";

// Shows the node at `source` at `target`.
Result<void> show_at(const char* source, const char* target, uint64_t attributes) {
    Result<MountFd> mount = MountFd::clone_with(AT_FDCWD, source, Recursive::no, {attributes});
    if (!mount.ok()) {
        return mount.system_error();
    }
    const Result<void> attached = mount.value().attach(AT_FDCWD, target);
    mount.value().leave_open();
    return attached;
}

// The same, and the node's own name is gone afterwards (a mount of what has no name any more cannot be attached).
Result<void> bind_and_unlink(const char* source, const char* target, uint64_t attributes) {
    const Result<void> shown = show_at(source, target, attributes);
    unlink(source);
    return shown;
}

} // namespace

void replace_kernel_files(ChildState& state) {
    static constexpr const char* kTemporary = "/run/.nspawn-replacement";
    constexpr uint64_t kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    UniqueFd file = open_at(AT_FDCWD, kTemporary, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0444).or_throw("");
    write_all(file.get(), Id128::random().uuid() + "\n").or_throw("");
    (void)file.release(); // closed by the exec
    bind_and_unlink(kTemporary, kBootIdFile, kAttributes | MOUNT_ATTR_RDONLY).or_throw(kBootIdFile);

    // A FIFO whose writing end the supervisor holds: readers wait for ever instead of seeing the host's log or an end.
    check(mkfifo(kTemporary, 0600), "mkfifo").or_throw(kKernelLog);
    state.kernel_log = open_at(AT_FDCWD, kTemporary, O_RDWR | O_NONBLOCK | O_NOFOLLOW).or_throw(kKernelLog);
    const Result<void> replaced = bind_and_unlink(kTemporary, kKernelLog, kAttributes);
    if (replaced.error() == ENOENT) { // a kernel without printk
        state.kernel_log.reset();
        return;
    }
    replaced.or_throw(kKernelLog);
}

void mount_control_groups(ChildState& state) {
    // Not with the clone: a cgroup namespace is rooted where its maker is, and that must be our own group.
    if ((state.plan.namespaces & CLONE_NEWCGROUP) != 0 && !has_private_users(state.plan)) { // else the helper is in it
        check(unshare(CLONE_NEWCGROUP), "unshare(CLONE_NEWCGROUP)").or_throw("");
    }
    run_group(state, kStageControlGroups);
    if (!state.input.own_cgroup && state.plan.container_cgroups != CgroupLayout::none) {
        // These groups belong to whoever started us; they may be looked at.
        set_mount_attributes(AT_FDCWD, "/sys/fs/cgroup", MOUNT_ATTR_RDONLY, 0, Propagation::unchanged, Recursive::yes)
            .or_throw("/sys/fs/cgroup");
    }
}

void share_mounts(ChildState&) {
    set_mount_attributes(AT_FDCWD, "/", 0, 0, Propagation::shared, Recursive::yes).or_throw("");
}

void attach_incoming(ChildState& state) {
    take_prepared(state);
    run_group(state, kStageIncoming);
}

void report_mounts(ChildState& state) {
    const int fd = state.kernel_log.get();
    const std::string left_out = state.left_out_by_helper + number_operations(state.plan, state.left_out);
    if (left_out.size() > Handshake::kMaxText) {
        throw Error("too much of what is to be mounted does not exist here");
    }
    state.input.supervisor
        .send(MessageKind::mounted, state.journal_in_place ? 1 : 0, left_out, {},
              std::span(&fd, state.kernel_log.valid() ? 1 : 0))
        .or_throw("");
}

} // namespace nspawn
