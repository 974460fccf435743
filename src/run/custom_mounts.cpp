#include "run/custom_mounts.hpp"

#include "base/file.hpp"
#include "base/path.hpp"
#include "linux/file_system_user.hpp"
#include "linux/overlay_mount.hpp"
#include "linux/private_namespace.hpp"
#include "run/mount_point.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

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

// Nothing to do where it is there from an earlier start.
void make_directory(int parent, const char* name, const CustomMount& mount) {
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST) {
        throw_system_error(errno, "mkdirat", fmt::format("{}: {}", option_name(mount), name));
    }
}

[[noreturn]] void throw_overlay(const CustomMount& mount, int code, const std::string& complaint) {
    const bool layers_do_not_fit = code == EINVAL || code == ELOOP;
    throw Error(
        fmt::format("{}: {}{}{}", option_name(mount), error_text(code), complaint.empty() ? "" : ": ", complaint),
        layers_do_not_fit
            ? "The upper directory must not be a layer twice, nor a mount point, nor on a file system that "
              "cannot hold an overlay's changes; and the kernel puts no more than two overlays on top of each other, "
              "as which -x and --volatile=overlay count."
            : "")
        .with_code(code);
}

Result<UniqueFd> open_source(const MountSource& source, const CustomMounts::Tree& tree, int flags) {
    return source.in_tree ? open_in_root(tree.root, source.path.c_str(), flags)
                          : open_at(AT_FDCWD, source.path.c_str(), flags);
}

// The kernel turns an overlay read-only, with a line in its log only, where it cannot prepare changes.
void require_writable(const MountFd& overlay, const CustomMount& mount) {
    struct statvfs status {};
    check(fstatvfs(overlay.get(), &status), "fstatvfs").or_throw(option_name(mount));
    if (!mount.read_only && (status.f_flag & ST_RDONLY) != 0) {
        throw_overlay(mount, EROFS, "the kernel can make no changes in the upper layer");
    }
}

void give_to_root(int parent, const char* name, const Plan& plan, const CustomMount& mount) {
    check(fchownat(parent, name, root_user_on_host(plan), root_group_on_host(plan), AT_SYMLINK_NOFOLLOW), "fchownat")
        .or_throw(option_name(mount));
}

IdMap map_of_bind(const CustomMount& mount, const IdMap& container, const Owner& source, const Owner& destination) {
    try {
        return bind_id_map(mount, container, source, destination);
    } catch (Error& error) {
        throw error.with_context(option_name(mount));
    }
}

Recursive recursion(const CustomMount& mount) { return mount.recursive ? Recursive::yes : Recursive::no; }

// Mostly a slave: what the host mounts below the source later shows up in the container, and nothing the other way
// round.
MountAttributes bind_attributes(const MountCustom& operation) {
    const CustomMount& mount = operation.what;
    const Propagation usual = mount.sources.front().in_tree ? Propagation::private_ : Propagation::slave;
    return {operation.attributes, operation.cleared,
            mount.propagation == Propagation::unchanged ? usual : mount.propagation};
}

// Makes a mount in another process, where the tree and `others` are attached; that process hands back another copy of
// the whole tree, too, which takes its place.
Result<MountFd> make_with_attached_tree(CustomMounts::Tree& tree, std::vector<const MountFd*> others,
                                        const std::function<Result<MountFd>()>& make) {
    others.push_back(tree.replaceable);
    Result<std::vector<MountFd>> copies = make_where_attached(others, [&]() -> Result<std::vector<MountFd>> {
        Result<MountFd> part = make();
        Result<MountFd> again = MountFd::clone_of(tree.root, "", Recursive::yes);
        if (!part.ok() || !again.ok()) {
            return part.ok() ? again.system_error() : part.system_error();
        }
        std::vector<MountFd> both;
        both.push_back(std::move(part).value());
        both.push_back(std::move(again).value());
        return both;
    });
    if (!copies.ok()) {
        return copies.system_error();
    }
    *tree.replaceable = std::move(copies.value()[1]);
    tree.root = tree.replaceable->get();
    return std::move(copies.value()[0]);
}

// Kernels before 6.15 make no copy of a part of a detached mount; the tree itself lies somewhere on the host, mostly.
Result<MountFd> copy_from_tree(const MountCustom& operation, int source, CustomMounts::Tree& tree) {
    const CustomMount& mount = operation.what;
    Result<MountFd> copy = MountFd::clone_with(source, "", recursion(mount), bind_attributes(operation));
    if (copy.error() == EINVAL && tree.attached < 0 && tree.replaceable != nullptr) {
        return make_with_attached_tree(
            tree, {}, [&] { return MountFd::clone_with(source, "", recursion(mount), bind_attributes(operation)); });
    }
    if (copy.error() != EINVAL || tree.attached < 0) {
        return copy;
    }
    const Result<UniqueFd> attached = open_in_root(tree.attached, mount.sources.front().path.c_str(), O_PATH);
    return attached.ok() ? MountFd::clone_with(attached.value().get(), "", recursion(mount), bind_attributes(operation))
                         : attached.system_error();
}

} // namespace

std::vector<CustomMountFd> CustomMounts::open(Tree tree) {
    std::vector<CustomMountFd> mounts;
    for (const OperationGroup& group : plan_.groups) {
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

CustomMountFd CustomMounts::open_bind(const MountCustom& operation, Tree& tree) {
    const CustomMount& mount = operation.what;
    const MountSource& source = mount.sources.front();
    CustomMountFd result;
    result.operation = &operation;
    UniqueFd opened;
    if (source.path.empty()) {
        const int scratch = scratch_in_var_tmp(operation).fd();
        make_directory(scratch, kFreshSource, mount);
        opened = open_at(scratch, kFreshSource, O_PATH | O_DIRECTORY | O_NOFOLLOW).or_throw(option_name(mount));
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
    map_owners(result, tree, {status.st_uid, status.st_gid});
    return result;
}

// In the container's ids: the tree's owners are that themselves if it is going to be id-mapped, else the host's.
Owner CustomMounts::owner_of_destination(const CustomMount& mount, const Tree& tree) const {
    struct stat status {};
    const Result<UniqueFd> there = open_in_root(tree.root, mount.destination.c_str(), O_PATH);
    if (!there.ok() || fstat(there.value().get(), &status) < 0) {
        return {}; // it will be made, and be root's
    }
    const Owner on_disk{status.st_uid, status.st_gid};
    if (plan_.id_map.empty() || tree_is_mapped_later()) {
        return on_disk;
    }
    return {id_inside(plan_.id_map.users, on_disk.user).value_or(0),
            id_inside(plan_.id_map.groups, on_disk.group).value_or(0)};
}

void CustomMounts::map_owners(CustomMountFd& mount, const Tree& tree, const Owner& source) {
    const CustomMount& what = mount.operation->what;
    if (what.sources.front().path.empty()) {
        give_to_root(mount.mount.get(), ".", plan_, what); // nobody else's, whatever is said about maps
        return;
    }
    if (what.sources.front().in_tree && what.mapping == BindMapping::none) {
        if (tree_is_mapped_later()) {
            set_id_map(mount.mount, plan_.id_map, recursion(what), option_name(what));
        }
        return;
    }
    const Owner destination = what.mapping == BindMapping::owner ? owner_of_destination(what, tree) : Owner{};
    const IdMap map = map_of_bind(what, plan_.id_map, source, destination);
    if (!map.empty()) {
        set_id_map(mount.mount, map, what.maps_submounts ? recursion(what) : Recursive::no, option_name(what));
    }
}

void CustomMounts::set_id_map(const MountFd& mount, const IdMap& map, Recursive recursive, const std::string& doing) {
    auto known =
        std::find_if(namespaces_.begin(), namespaces_.end(), [&](const auto& made) { return made.first == map; });
    if (known == namespaces_.end()) {
        namespaces_.emplace_back(map, make_user_namespace(map).or_throw(doing + ": a user namespace"));
        known = std::prev(namespaces_.end());
    }
    const Result<void> mapped = mount.set_id_map(known->second.get(), recursive);
    if (mapped.error() == EINVAL || mapped.error() == EPERM) {
        throw Error(fmt::format("{}: its owners cannot be mapped: {}", doing, error_text(mapped.error())),
                    "The file system, or one mounted below it, has no id-mapped mounts; the option norbind leaves out "
                    "what is mounted below.")
            .with_code(mapped.error());
    }
    mapped.or_throw(doing);
}

CustomMounts::Layer CustomMounts::open_layer(const MountSource& layer, const MountCustom& operation, Tree& tree) {
    Result<UniqueFd> directory = open_source(layer, tree, O_PATH | O_DIRECTORY);
    if (!directory.ok()) {
        throw_source(operation.what, layer, directory.system_error());
    }
    return map_layer(std::move(directory).value(), layer.in_tree, operation.what);
}

// An overlay cannot be id-mapped, its layers can. Those of the tree are mapped by themselves, or belong to the
// container's ids already.
CustomMounts::Layer CustomMounts::map_layer(UniqueFd directory, bool in_tree, const CustomMount& mount) {
    Layer layer;
    layer.in_tree = in_tree;
    const bool map = !plan_.id_map.empty() && (!in_tree || tree_is_mapped_later());
    if (!map) {
        layer.directory = std::move(directory);
        return layer;
    }
    Result<MountFd> copied = MountFd::clone_of(directory.get(), "", Recursive::no);
    if (copied.error() == EINVAL && in_tree) {
        throw Error(
            fmt::format("{}: before Linux 6.15 no layer can be taken out of an id-mapped tree", option_name(mount)),
            "Use --private-users-ownership=chown, or a newer kernel.")
            .with_code(EINVAL);
    }
    layer.mapped = std::move(copied).or_throw(option_name(mount));
    set_id_map(layer.mapped, plan_.id_map, Recursive::no, option_name(mount));
    layer.directory = open_at(layer.mapped.get(), ".", O_PATH | O_DIRECTORY).or_throw(option_name(mount));
    return layer;
}

// The directory that holds the upper layer and a scratch directory of ours beside it, since the kernel prepares changes
// on the same mount. Makes the upper layer where it is missing.
CustomMounts::UpperPlace CustomMounts::find_upper(const MountCustom& operation, const Tree& tree) {
    const CustomMount& mount = operation.what;
    const MountSource& source = mount.sources.back();
    const std::string work = fmt::format("work{}", generation_);
    if (source.path.empty()) {
        ScratchDirectory& scratch = scratch_in_var_tmp(operation);
        make_directory(scratch.fd(), kFreshUpper, mount);
        make_directory(scratch.fd(), work.c_str(), mount);
        return {duplicate(scratch.fd()).or_throw(option_name(mount)), kFreshUpper, work};
    }
    std::string path = source.path;
    Result<UniqueFd> upper = open_source(source, tree, O_PATH | O_DIRECTORY);
    if (upper.ok() && !source.in_tree) {
        path = path_of_descriptor(upper.value().get()).or_throw(option_name(mount)); // it may be a link
    } else if (!upper.ok() && upper.error() != ENOENT) {
        throw_source(mount, source, upper.system_error());
    }
    const MountSource parent{parent_of(path), source.in_tree};
    Result<UniqueFd> directory = open_source(parent, tree, O_RDONLY | O_DIRECTORY);
    if (!directory.ok()) {
        throw_source(mount, parent, directory.system_error());
    }
    std::string name(base_name(path));
    if (!upper.ok()) {
        make_directory(directory.value().get(), name.c_str(), mount);
        if (source.in_tree && !tree_is_mapped_later()) {
            give_to_root(directory.value().get(), name.c_str(), plan_, mount);
        }
    }
    ScratchDirectory& scratch = scratch_for(operation, duplicate(directory.value().get()).or_throw(option_name(mount)),
                                            source.in_tree ? join(tree.path, parent.path) : parent.path);
    make_directory(scratch.fd(), work.c_str(), mount);
    return {std::move(directory).value(), std::move(name), join(scratch.name(), work)};
}

Result<MountFd> CustomMounts::mount_layers(const Layers& layers, const MountCustom& operation, std::string* complaint) {
    std::vector<int> lower;
    for (const Layer& layer : layers.lower) {
        lower.push_back(layer.directory.get());
    }
    Result<UniqueFd> upper = UniqueFd();
    Result<UniqueFd> work = UniqueFd();
    if (!operation.what.read_only) {
        constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
        upper = open_at(layers.place.directory.get(), layers.upper.c_str(), kFlags);
        work = open_at(layers.place.directory.get(), layers.work.c_str(), kFlags);
    }
    if (!upper.ok() || !work.ok()) {
        return upper.ok() ? work.system_error() : upper.system_error();
    }
    const MountOption name{"source", "overlay"};
    return mount_overlay({lower, upper.value().get(), work.value().get()}, std::span(&name, 1), operation.attributes,
                         complaint);
}

// Linux before 6.15 takes no layer that is not attached, as mapped ones and those of the tree are: in another process
// all of them become so.
Result<MountFd> CustomMounts::mount_where_attached(Layers& layers, const MountCustom& operation, Tree& tree) {
    std::vector<Layer*> all;
    for (Layer& layer : layers.lower) {
        all.push_back(&layer);
    }
    if (!operation.what.read_only) {
        all.push_back(&layers.place);
    }
    std::vector<const MountFd*> mounts;
    bool with_tree = false;
    for (Layer* const layer : all) {
        if (!layer->mapped.valid() && layer->in_tree && tree.replaceable != nullptr) {
            with_tree = true;
            continue;
        }
        if (!layer->mapped.valid()) {
            Result<MountFd> copy = MountFd::clone_of(layer->directory.get(), "", Recursive::no);
            Result<UniqueFd> top = copy.ok() ? open_at(copy.value().get(), ".", O_PATH | O_DIRECTORY)
                                             : Result<UniqueFd>(copy.system_error());
            if (!top.ok()) {
                return top.system_error();
            }
            layer->mapped = std::move(copy).value();
            layer->directory = std::move(top).value();
        }
        mounts.push_back(&layer->mapped);
    }
    if (with_tree) {
        return make_with_attached_tree(tree, std::move(mounts),
                                       [&] { return mount_layers(layers, operation, nullptr); });
    }
    Result<std::vector<MountFd>> made = make_where_attached(mounts, [&]() -> Result<std::vector<MountFd>> {
        Result<MountFd> overlay = mount_layers(layers, operation, nullptr);
        if (!overlay.ok()) {
            return overlay.system_error();
        }
        std::vector<MountFd> one;
        one.push_back(std::move(overlay).value());
        return one;
    });
    return made.ok() ? Result<MountFd>(std::move(made.value().front())) : made.system_error();
}

CustomMountFd CustomMounts::open_overlay(const MountCustom& operation, Tree& tree) {
    const CustomMount& mount = operation.what;
    Layers layers;
    const size_t lowers = mount.sources.size() - (mount.read_only ? 0 : 1);
    for (size_t i = lowers; i-- > 0;) {
        layers.lower.push_back(open_layer(mount.sources[i], operation, tree));
    }
    if (!mount.read_only) {
        UpperPlace found = find_upper(operation, tree);
        layers.place = map_layer(std::move(found.directory), mount.sources.back().in_tree, mount);
        layers.upper = std::move(found.upper);
        layers.work = std::move(found.work);
    }
    // An overlay acts on its layers as who mounts it, and a mapped layer knows only the container's users.
    std::optional<FileSystemUser> maker;
    if (layers.place.mapped.valid()) {
        maker.emplace(root_user_on_host(plan_), root_group_on_host(plan_));
    }
    std::string complaint;
    Result<MountFd> made = mount_layers(layers, operation, &complaint);
    const bool in_tree = std::any_of(mount.sources.begin(), mount.sources.end(),
                                     [](const MountSource& source) { return source.in_tree; });
    if (made.error() == EINVAL && (in_tree || !plan_.id_map.empty())) {
        Result<MountFd> elsewhere = mount_where_attached(layers, operation, tree);
        if (elsewhere.ok()) {
            made = std::move(elsewhere);
        }
    }
    if (!made.ok()) {
        throw_overlay(mount, made.error(), complaint);
    }
    require_writable(made.value(), mount);
    return {&operation, std::move(made).value(), S_IFDIR, 0};
}

} // namespace nspawn
