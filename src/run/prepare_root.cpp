#include "run/prepare_root.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "linux/file_system_user.hpp"
#include "linux/private_namespace.hpp"
#include "plan/mount_table.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

// The tree as a detached mount of its own; read-only where the plan says so, in every submount.
MountFd mount_of(const RootTree& tree, bool read_only) {
    const MountAttributes attributes{read_only ? MOUNT_ATTR_RDONLY : uint64_t{0}, 0, Propagation::private_};
    if (!tree.is_detached_mount()) {
        return MountFd::clone_with(tree.fd(), "", Recursive::yes, attributes).or_throw(tree.path());
    }
    MountFd mount(duplicate(tree.fd()).or_throw(tree.path()));
    mount.set_attributes(attributes.set, 0, attributes.propagation, Recursive::yes).or_throw(tree.path());
    return mount;
}

// Wherever the root directory comes from, this is the tree, and as read-only as it.
MountFd mount_of_old_root(const RootTree& tree, bool read_only) {
    return MountFd::clone_with(tree.old_root(), "", Recursive::yes,
                               {read_only ? MOUNT_ATTR_RDONLY : uint64_t{0}, 0, Propagation::private_})
        .or_throw(tree.path());
}

// --volatile=yes finds everything below /usr, so the tree's /bin must not hold anything of its own.
void require_merged_usr(const RootTree& tree) {
    struct stat status {};
    if (fstatat(tree.fd(), "bin", &status, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISLNK(status.st_mode)) {
        throw Error(
            fmt::format("--volatile=yes needs a tree with a merged /usr, but {}/bin is no symbolic link", tree.path()),
            "Use --volatile=overlay, which works with every tree.");
    }
}

void make_volatile_root(PreparedMounts& mounts, const Plan& plan, const RootTree& tree) {
    require_merged_usr(tree);
    const UniqueFd usr =
        open_in_root(tree.fd(), "usr", O_PATH | O_DIRECTORY).or_throw(fmt::format("{}/usr", tree.path()));
    const auto copy_usr = [&] {
        return MountFd::clone_with(usr.get(), "", Recursive::yes, {MOUNT_ATTR_RDONLY, 0, Propagation::private_});
    };
    Result<MountFd> copied = copy_usr();
    if (copied.error() == EINVAL && tree.is_detached_mount()) { // Linux before 6.15
        const MountFd whole(duplicate(tree.fd()).or_throw(tree.path()));
        copied = make_where_attached(whole, copy_usr);
    }
    mounts.volatile_usr = std::move(copied).or_throw("/usr of the tree");

    mounts.root = MountFd::create("tmpfs", plan.volatile_options, MOUNT_ATTR_STRICTATIME).or_throw("volatile root");
    const FileSystemUser owner(root_user_on_host(plan), root_group_on_host(plan));
    check(mkdirat(mounts.root.get(), "usr", 0755), "mkdirat").or_throw("volatile root");
}

void make_volatile_overlay(PreparedMounts& mounts, const Plan& plan, const RootTree& tree) {
    UniqueFd mapped;
    if (plan.map_tree) { // an overlay itself cannot be mapped, what it lies on can
        mounts.mapped_tree = tree.users().mapped_mount(tree.fd());
        mapped = open_at(mounts.mapped_tree.get(), ".", O_RDONLY | O_DIRECTORY).or_throw(tree.path());
    }
    const int lower = mapped ? mapped.get() : tree.fd();
    mounts.overlay.emplace(OverlayLayer::create_in_memory(lower).or_throw("overlay for --volatile=overlay"));
    if (tree.is_image()) {
        mounts.overlay->mount()
            .set_attributes(MOUNT_ATTR_NODEV, 0, Propagation::unchanged, Recursive::no)
            .or_throw("overlay for --volatile=overlay");
    }
    mounts.root = MountFd(duplicate(mounts.overlay->mount().get()).or_throw("overlay for --volatile=overlay"));
}

// What a kernel that knows no better makes for its own root is given to the container's.
void make_devpts(PreparedMounts& mounts, const Plan& plan) {
    mounts.devpts = MountFd::create("devpts", plan.devpts_options, plan.devpts_attributes).or_throw("devpts");
    if (has_private_users(plan)) {
        for (const char* name : {"", "ptmx"}) {
            check(fchownat(mounts.devpts.get(), name, root_user_on_host(plan), root_group_on_host(plan), AT_EMPTY_PATH),
                  "fchownat")
                .or_throw("devpts");
        }
    }
}

} // namespace

MountFd open_host_mount(const BindFromHost& operation) {
    const Propagation propagation = operation.receive_mounts ? Propagation::slave : Propagation::private_;
    // The host's own files are trusted to point where they mean to (os-release is a link on most hosts).
    Result<MountFd> mount =
        MountFd::clone_with(AT_FDCWD, operation.source.c_str(), operation.recursive ? Recursive::yes : Recursive::no,
                            {operation.attributes, operation.cleared, propagation}, FinalLink::followed);
    if (mount.error() == ENOENT && operation.importance != Importance::required) {
        return {};
    }
    return std::move(mount).or_throw(operation.source);
}

PreparedMounts prepare_mounts(const Plan& plan, const RootTree& tree, CustomMounts& custom) {
    PreparedMounts mounts;
    switch (plan.root) {
    case RootKind::tree:
    case RootKind::volatile_state:
        mounts.root = mount_of(tree, plan.read_only);
        break;
    case RootKind::volatile_usr:
        make_volatile_root(mounts, plan, tree);
        break;
    case RootKind::volatile_overlay:
        make_volatile_overlay(mounts, plan, tree);
        break;
    }
    for (const std::string& notice : tree.attach_partitions(mounts.root, plan.root == RootKind::volatile_overlay)) {
        if (!plan.quiet) {
            log::notice("{}", notice);
        }
    }
    if (!plan.pivot_root.old_root.empty()) {
        mounts.old_root = mount_of_old_root(tree, plan.read_only);
    }
    if (supervisor_makes_devpts(plan)) {
        make_devpts(mounts, plan);
    }
    for (const OperationGroup& group : plan.groups) {
        for (const Operation& operation : group.operations) {
            const auto* bind = std::get_if<BindFromHost>(&operation);
            if (bind != nullptr && !bind->receive_mounts) {
                mounts.host.push_back({bind, open_host_mount(*bind)});
            }
        }
    }
    const bool tree_is_root = plan.root == RootKind::tree || plan.root == RootKind::volatile_state;
    const bool only_usr = plan.root == RootKind::volatile_usr;
    mounts.custom = custom.open({.root = only_usr ? tree.fd() : mounts.root.get(),
                                 .attached = tree_is_root && !tree.is_detached_mount() ? tree.fd() : -1,
                                 .path = tree.path(),
                                 .replaceable = only_usr ? nullptr : &mounts.root});
    mounts.host_files = prepare_host_files(plan, mounts.root.get());
    return mounts;
}

} // namespace nspawn
