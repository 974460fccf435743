#include "run/custom_mounts.hpp"

#include "base/file.hpp"
#include "base/path.hpp"
#include "linux/overlay_mount.hpp"
#include "run/mount_point.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr const char* kTemporaryPlace = "/var/tmp";
constexpr const char* kFreshSource = "source";
constexpr const char* kFreshUpper = "upper";

std::string option_name(const CustomMount& mount) {
    const char* const name = mount.kind == CustomMountKind::bind ? "bind" : "overlay";
    return fmt::format("--{}{}={}", name, mount.read_only ? "-ro" : "", format_custom_mount(mount));
}

[[noreturn]] void throw_source(const CustomMount& mount, const MountSource& source, SystemError error) {
    const std::string where = source.in_tree ? fmt::format("{} in the tree", source.path) : source.path;
    throw Error(fmt::format("{}: {}: {}", option_name(mount), where, error_text(error.code))).with_code(error.code);
}

UniqueFd make_or_open_directory(int parent, const char* name, const CustomMount& mount) {
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST) {
        throw_system_error(errno, "mkdirat", option_name(mount));
    }
    return open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).or_throw(option_name(mount));
}

Result<UniqueFd> open_source(const MountSource& source, const CustomMounts::Tree& tree, int flags) {
    return source.in_tree ? open_in_root(tree.root, source.path.c_str(), flags)
                          : open_at(AT_FDCWD, source.path.c_str(), flags);
}

Recursive recursion(const CustomMount& mount) { return mount.recursive ? Recursive::yes : Recursive::no; }

// A slave: what the host mounts below the source later shows up in the container, and nothing the other way round.
MountAttributes bind_attributes(const MountCustom& operation) {
    return {operation.attributes, 0,
            operation.what.sources.front().in_tree ? Propagation::private_ : Propagation::slave};
}

// Kernels before 6.15 make no copy of a part of a detached mount; the tree itself lies somewhere on the host, mostly.
Result<MountFd> copy_from_tree(const MountCustom& operation, int source, const CustomMounts::Tree& tree) {
    const CustomMount& mount = operation.what;
    Result<MountFd> copy = MountFd::clone_with(source, "", recursion(mount), bind_attributes(operation));
    if (copy.error() != EINVAL || tree.attached < 0) {
        return copy;
    }
    const Result<UniqueFd> attached = open_in_root(tree.attached, mount.sources.front().path.c_str(), O_PATH);
    return attached.ok() ? MountFd::clone_with(attached.value().get(), "", recursion(mount), bind_attributes(operation))
                         : attached.system_error();
}

} // namespace

std::vector<CustomMountFd> CustomMounts::open(const Plan& plan, const Tree& tree) {
    std::vector<CustomMountFd> mounts;
    for (const OperationGroup& group : plan.groups) {
        for (const Operation& operation : group.operations) {
            const auto* const custom = std::get_if<MountCustom>(&operation);
            if (custom == nullptr) {
                continue;
            }
            if (custom->what.kind == CustomMountKind::bind) {
                mounts.push_back(open_bind(*custom, tree));
            } else if (custom->what.kind == CustomMountKind::overlay) {
                mounts.push_back(open_overlay(*custom, tree));
            }
        }
    }
    ++generation_;
    return mounts;
}

ScratchDirectory& CustomMounts::scratch_for(const MountCustom& operation, UniqueFd parent,
                                            const std::string& parent_path) {
    const auto existing = scratch_.find(&operation);
    if (existing != scratch_.end()) {
        return existing->second;
    }
    auto made = ScratchDirectory::create(std::move(parent), parent_path, "mount")
                    .or_throw(fmt::format("{}: a directory in {}", option_name(operation.what), parent_path));
    return scratch_.emplace(&operation, std::move(made)).first->second;
}

ScratchDirectory& CustomMounts::scratch_in_var_tmp(const MountCustom& operation) {
    UniqueFd place = open_at(AT_FDCWD, kTemporaryPlace, O_RDONLY | O_DIRECTORY).or_throw(kTemporaryPlace);
    return scratch_for(operation, std::move(place), kTemporaryPlace);
}

CustomMountFd CustomMounts::open_bind(const MountCustom& operation, const Tree& tree) {
    const CustomMount& mount = operation.what;
    const MountSource& source = mount.sources.front();
    CustomMountFd result;
    result.operation = &operation;
    UniqueFd opened;
    if (source.path.empty()) {
        opened = make_or_open_directory(scratch_in_var_tmp(operation).fd(), kFreshSource, mount);
    } else {
        Result<UniqueFd> found = open_source(source, tree, O_PATH);
        if (!found.ok()) {
            throw_source(mount, source, found.system_error());
        }
        opened = std::move(found).value();
    }
    struct stat status {};
    check(fstat(opened.get(), &status), "fstat").or_throw(option_name(mount));
    result.type = status.st_mode & S_IFMT;
    result.device = status.st_rdev;
    Result<MountFd> copy = source.in_tree
                               ? copy_from_tree(operation, opened.get(), tree)
                               : MountFd::clone_with(opened.get(), "", recursion(mount), bind_attributes(operation));
    if (!copy.ok()) {
        throw_source(mount, source, copy.system_error());
    }
    result.mount = std::move(copy).value();
    return result;
}

UniqueFd CustomMounts::open_layer(const MountSource& layer, const MountCustom& operation, const Tree& tree) {
    Result<UniqueFd> directory = open_source(layer, tree, O_PATH | O_DIRECTORY);
    if (!directory.ok()) {
        throw_source(operation.what, layer, directory.system_error());
    }
    return std::move(directory).value();
}

// The layer that takes the changes, made where it is missing, and beside it the scratch directory that the kernel needs
// to prepare changes in: it has to be on the same file system.
UniqueFd CustomMounts::open_upper(const MountCustom& operation, const Tree& tree) {
    const CustomMount& mount = operation.what;
    const MountSource& source = mount.sources.back();
    if (source.path.empty()) {
        return make_or_open_directory(scratch_in_var_tmp(operation).fd(), kFreshUpper, mount);
    }
    const std::string parent_path = parent_of(source.path);
    Result<UniqueFd> parent = open_source({parent_path, source.in_tree}, tree, O_RDONLY | O_DIRECTORY);
    if (!parent.ok()) {
        throw_source(mount, {parent_path, source.in_tree}, parent.system_error());
    }
    if (open_source(source, tree, O_PATH).error() == ENOENT) {
        const std::string name(base_name(source.path));
        if (mkdirat(parent.value().get(), name.c_str(), 0755) < 0 && errno != EEXIST) {
            throw_source(mount, source, last_error("mkdirat"));
        }
    }
    scratch_for(operation, std::move(parent).value(), source.in_tree ? join(tree.path, parent_path) : parent_path);
    return open_layer(source, operation, tree);
}

UniqueFd CustomMounts::make_work(const MountCustom& operation) {
    const int scratch = scratch_.at(&operation).fd();
    return make_or_open_directory(scratch, fmt::format("work{}", generation_).c_str(), operation.what);
}

CustomMountFd CustomMounts::open_overlay(const MountCustom& operation, const Tree& tree) {
    const CustomMount& mount = operation.what;
    std::vector<UniqueFd> held;
    std::vector<int> lower; // the topmost first, as the kernel wants it; the user names the lowest first
    const size_t lowers = mount.sources.size() - (mount.read_only ? 0 : 1);
    for (size_t i = lowers; i-- > 0;) {
        held.push_back(open_layer(mount.sources[i], operation, tree));
        lower.push_back(held.back().get());
    }
    UniqueFd upper;
    UniqueFd work;
    OverlayLayers layers{.lower = lower};
    if (!mount.read_only) {
        upper = open_upper(operation, tree);
        work = make_work(operation);
        layers.upper = upper.get();
        layers.work = work.get();
    }
    std::string complaint;
    const MountOption name{"source", "overlay"};
    Result<MountFd> made = mount_overlay(layers, std::span(&name, 1), operation.attributes, &complaint);
    if (!made.ok()) {
        throw Error(fmt::format("{}: {}{}{}", option_name(mount), error_text(made.error()),
                                complaint.empty() ? "" : ": ", complaint),
                    made.error() == EINVAL || made.error() == ELOOP
                        ? "The upper directory must not be a layer twice, nor a mount point, nor on a file system that "
                          "cannot hold an overlay's changes."
                        : "")
            .with_code(made.error());
    }
    return {&operation, std::move(made).value(), S_IFDIR, 0};
}

} // namespace nspawn
