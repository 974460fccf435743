// Stage of the child that attaches what --bind= and its like ask for, after everything of ours is mounted.

#include "base/file.hpp"
#include "base/path.hpp"
#include "linux/mount_words.hpp"
#include "plan/mount_table.hpp"
#include "run/child_state.hpp"
#include "run/mount_point.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace nspawn {

namespace {

uint64_t mount_id(int fd) {
    struct statx status {};
    check(statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status), "statx").or_throw("");
    return status.stx_mnt_id;
}

const char* option_of(const CustomMount& mount) {
    switch (mount.kind) {
    case CustomMountKind::bind:
        return mount.read_only ? "--bind-ro" : "--bind";
    case CustomMountKind::tmpfs:
        return "--tmpfs";
    case CustomMountKind::overlay:
        return mount.read_only ? "--overlay-ro" : "--overlay";
    case CustomMountKind::inaccessible:
        return "--inaccessible";
    }
    return "";
}

[[noreturn]] void throw_mount_point(const MountCustom& operation, int code, MountPointKind wanted) {
    const CustomMount& mount = operation.what;
    std::string what = fmt::format("{}: {} in the tree: ", option_of(mount), mount.destination);
    std::string hint;
    if (code == EISDIR || (code == ENOTDIR && wanted == MountPointKind::directory)) {
        what += code == EISDIR ? "is a directory" : "is no directory, or lies below what is none";
        hint = wanted == MountPointKind::directory ? "Only a directory can be mounted there."
                                                   : "A file can only be shown on a file.";
    } else if (code == EROFS) {
        what += "does not exist, and cannot be made: the tree is read-only";
        hint = "Make the mount point beforehand.";
    } else {
        what += error_text(code);
    }
    throw Error(std::move(what), std::move(hint)).with_code(code);
}

const CustomMountFd& find_prepared(const ChildState& state, const MountCustom& operation) {
    const auto& mounts = state.input.custom_mounts;
    const auto found = std::find_if(mounts.begin(), mounts.end(),
                                    [&](const CustomMountFd& mount) { return mount.operation == &operation; });
    return *found; // the supervisor opens every one of them
}

// What hides a file of this kind: the empty node of the same kind, or where none could be made one that is as useless.
const char* hiding_node(mode_t type, int nodes) {
    struct stat status {};
    switch (type) {
    case S_IFDIR:
        return "dir";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "sock";
    case S_IFCHR:
        return fstatat(nodes, "chr", &status, AT_SYMLINK_NOFOLLOW) == 0 ? "chr" : "sock";
    case S_IFBLK:
        return fstatat(nodes, "blk", &status, AT_SYMLINK_NOFOLLOW) == 0 ? "blk" : "sock";
    default:
        return "reg";
    }
}

class CustomMountStage {
public:
    explicit CustomMountStage(ChildState& state) : state_(state) {
        root_ = open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY).or_throw("/");
        // Now: a mount that was asked for may hide it.
        nodes_ = open_at(AT_FDCWD, kInaccessiblePath, O_PATH | O_DIRECTORY).or_throw(kInaccessiblePath);
    }

    void apply(const MountCustom& operation) {
        const MountPointKind kind = kind_of(operation);
        Result<UniqueFd> target = operation.what.kind == CustomMountKind::inaccessible
                                      ? open_in_root(root_.get(), operation.what.destination.c_str(), O_PATH)
                                      : open_mount_point(root_.get(), operation.what.destination, kind);
        if (!target.ok()) {
            throw_mount_point(operation, target.error(), kind);
        }
        const std::string doing = fmt::format("{} on {}", option_of(operation.what), operation.what.destination);
        switch (operation.what.kind) {
        case CustomMountKind::bind:
        case CustomMountKind::overlay:
            attach(find_prepared(state_, operation).mount, target.value(), operation, doing);
            break;
        case CustomMountKind::tmpfs:
            attach(make_tmpfs(operation, doing), target.value(), operation, doing);
            break;
        case CustomMountKind::inaccessible:
            attach(make_mask(operation, target.value(), doing), target.value(), operation, doing);
            break;
        }
    }

private:
    [[nodiscard]] MountPointKind kind_of(const MountCustom& operation) const {
        const bool file =
            operation.what.kind == CustomMountKind::bind && find_prepared(state_, operation).type != S_IFDIR;
        return file ? MountPointKind::file : MountPointKind::directory;
    }

    static MountFd make_tmpfs(const MountCustom& operation, const std::string& doing) {
        std::string complaint;
        std::vector<MountOption> options = {{"source", "tmpfs"}};
        options.insert(options.end(), operation.options.begin(), operation.options.end());
        Result<MountFd> made = MountFd::create("tmpfs", options, operation.attributes, &complaint);
        if (!made.ok() && !complaint.empty()) {
            throw Error(fmt::format("{}: {}", doing, complaint), "tmpfs(5) lists its options.").with_code(made.error());
        }
        return std::move(made).or_throw(doing);
    }

    [[nodiscard]] MountFd make_mask(const MountCustom& operation, const UniqueFd& target,
                                    const std::string& doing) const {
        struct stat status {};
        check(fstat(target.get(), &status), "fstat").or_throw(doing);
        const char* const node = hiding_node(status.st_mode & S_IFMT, nodes_.get());
        return MountFd::clone_with(nodes_.get(), node, Recursive::no, {operation.attributes}).or_throw(doing);
    }

    void attach(const MountFd& mount, const UniqueFd& target, const MountCustom& operation,
                const std::string& doing) const {
        mount.attach_onto(target.get()).or_throw(doing);
        read_back(mount, operation, doing);
    }

    // That it can be seen where it was asked for, and is what it was asked to be: fail closed.
    void read_back(const MountFd& mount, const MountCustom& operation, const std::string& doing) const {
        const UniqueFd seen = open_in_root(root_.get(), operation.what.destination.c_str(), O_PATH).or_throw(doing);
        if (mount_id(seen.get()) != mount_id(mount.get())) {
            throw Error(fmt::format("{}: something else is there by now", doing), "Was the tree changed meanwhile?");
        }
        struct statvfs status {};
        check(fstatvfs(seen.get(), &status), "fstatvfs").or_throw(doing);
        for (const MountFlagName& flag : kMountFlagNames) {
            if (flag.status_flag != 0 && (operation.attributes & flag.attribute) != 0 &&
                (status.f_flag & flag.status_flag) == 0) {
                throw Error(fmt::format("{} is not {}, although it was asked for", doing, flag.word));
            }
        }
    }

    ChildState& state_;
    UniqueFd root_;
    UniqueFd nodes_;
};

} // namespace

namespace {

template <typename Wanted>
void apply_where(ChildState& state, Wanted wanted) {
    std::optional<CustomMountStage> stage; // costs nothing where nothing was asked for
    for (const OperationGroup& group : state.plan.groups) {
        for (const Operation& operation : group.operations) {
            const auto* const custom = std::get_if<MountCustom>(&operation);
            if (custom == nullptr || !wanted(custom->what.destination)) {
                continue;
            }
            if (!stage) {
                stage.emplace(state);
            }
            stage->apply(*custom);
        }
    }
}

} // namespace

void apply_custom_mounts(ChildState& state) {
    // A helper leaves /proc to the child, which is not done with it.
    const bool all = !state.contained.valid();
    apply_where(state, [&](const std::string& destination) { return all || !is_within(destination, "/proc"); });
}

void apply_custom_mounts_below_proc(ChildState& state) {
    apply_where(state, [](const std::string& destination) { return is_within(destination, "/proc"); });
}

} // namespace nspawn
