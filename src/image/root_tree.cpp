#include "image/root_tree.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "image/disk_image.hpp"
#include "image/ephemeral.hpp"
#include "image/image_file.hpp"
#include "image/os_tree_check.hpp"
#include "image/shift_ownership.hpp"
#include "image/tree_lock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>

namespace nspawn {

struct RootTree::State {
    RootSelection selection;
    bool read_only = false;
    TreeLock lock;
    std::optional<DiskImage> image;
    std::string image_copy; // how the image itself was copied; empty: it was not
    PrivateUsers users;
    std::vector<std::pair<PartitionRole, EphemeralCopy>>
        partitions;                    // throw-away copies of the image's other partitions
    bool layered = false;              // what the image can write goes to layers over it
    std::optional<EphemeralCopy> copy; // last but what lies in it, so that it goes first
    UniqueFd new_root;                 // of --pivot-root=

    State(RootSelection selected, bool untouched, TreeLock held)
        : selection(std::move(selected)), read_only(untouched), lock(std::move(held)) {}
    [[nodiscard]] int directory() const { return image ? image->root().get() : selection.directory.get(); }
    [[nodiscard]] int top() const { return copy ? copy->fd() : directory(); }
    [[nodiscard]] int fd() const { return new_root ? new_root.get() : top(); }
    void make_ephemeral_copy();
    [[nodiscard]] const EphemeralCopy& partition_copy(PartitionRole role, const MountFd& mount);
    void give_partition_to_users(DiskImage::Further& further, bool root_is_mapped_already) const;
};

namespace {

void refuse_host_tree(const Config& config, const RootSelection& selection) {
    const bool harmless =
        config.ephemeral || config.volatile_mode == Volatile::yes || config.volatile_mode == Volatile::state;
    if (selection.path == "/" && !harmless) {
        throw Error("the host's own tree / cannot be run as a container as it is",
                    "Start from a throw-away copy with --ephemeral, or use --volatile=yes or --volatile=state.");
    }
}

// As in the original, a copy's source is not locked: the copy is nobody else's.
TreeLock lock_tree(const Config& config, const EnvironmentSwitches& switches, const RootSelection& selection,
                   bool read_only) {
    if (config.ephemeral || config.dry_run || !switches.lock) {
        return {};
    }
    return TreeLock::acquire(selection.image ? selection.image.get() : selection.directory.get(), selection.path,
                             read_only ? TreeLock::Mode::shared : TreeLock::Mode::exclusive);
}

// --bind=SOURCE:/: the tree that was named is only looked at; what the container gets is another directory.
const CustomMount* mount_in_place_of_tree(const Config& config) {
    const auto last = std::find_if(config.custom_mounts.rbegin(), config.custom_mounts.rend(),
                                   [](const CustomMount& mount) { return mount.destination == "/"; });
    return last == config.custom_mounts.rend() ? nullptr : &*last;
}

UniqueFd open_other_tree(const CustomMount& mount, int tree) {
    const MountSource& source = mount.sources.front();
    constexpr int kFlags = O_RDONLY | O_DIRECTORY;
    return (source.in_tree ? open_in_root(tree, source.path.c_str(), kFlags)
                           : open_at(AT_FDCWD, source.path.c_str(), kFlags))
        .or_throw(fmt::format("--bind={}", format_custom_mount(mount)));
}

std::vector<std::string> mount_points_of(const Config& config) {
    std::vector<std::string> mount_points;
    for (const CustomMount& mount : config.custom_mounts) {
        mount_points.push_back(mount.destination);
    }
    return mount_points;
}

// Where the tree's content begins: a directory in it with --pivot-root=, looked up as if the tree were "/".
UniqueFd open_new_root(const Config& config, int top, const std::string& path) {
    const std::string& new_root = config.pivot_root.new_root;
    if (new_root.empty()) {
        return {};
    }
    Result<UniqueFd> directory = open_in_root(top, new_root.c_str(), O_RDONLY | O_DIRECTORY);
    if (!directory.ok()) {
        throw Error(fmt::format("--pivot-root={}: in {}: {}", printable(new_root), printable(path),
                                error_text(directory.error())))
            .with_code(directory.error());
    }
    return std::move(directory).value();
}

void check_tree(const Config& config, const EnvironmentSwitches& switches, int directory, const TopLevel& top,
                const std::string& path) {
    const bool boot = config.start_mode == StartMode::boot;
    if (!boot || switches.check_os_release) {
        check_os_tree(directory, top, path, boot, mount_points_of(config));
    }
}

void tell(const Config& config, const std::string& what) {
    if (!config.quiet) {
        log::info("{}", what);
    }
}

// The tree itself is what is asked for from here on, whoever made it.
void make_missing_tree(const Config& config, const EnvironmentSwitches& switches, RootSelection& selection) {
    const int source = selection.directory.get();
    const UniqueFd new_root = open_new_root(config, source, selection.template_path);
    const int content = new_root ? new_root.get() : source;
    check_tree(config, switches, content, TopLevel(content), selection.template_path);
    if (config.dry_run) {
        return;
    }
    TreeFromTemplate made = make_from_template(source, selection.template_path, *selection.missing);
    if (!made.description.empty()) {
        tell(config,
             fmt::format("Made {} from template {} ({}).", selection.path, selection.template_path, made.description));
        selection.template_path.clear();
    }
    selection.directory = std::move(made.directory);
    selection.missing.reset();
}

// Makes the tree of its template, or says that there is one already.
void settle_template(const Config& config, const EnvironmentSwitches& switches, RootSelection& selection) {
    if (selection.missing) {
        make_missing_tree(config, switches, selection);
    }
    if (!selection.missing && !selection.template_path.empty()) {
        tell(config,
             fmt::format("{} exists already; the template {} is not used.", selection.path, selection.template_path));
    }
}

bool wants_read_only(const Config& config, const RootSelection& selection) {
    return config.read_only || config.volatile_mode != Volatile::no || (selection.image_read_only && !config.ephemeral);
}

// Only looked into: what it holds decides how it is to be locked.
std::optional<DiskImage> open_disk_image(const Config& config, const EnvironmentSwitches& switches,
                                         const RootSelection& selection, const VerityAttachments& verity,
                                         bool read_only) {
    if (!selection.image) {
        return std::nullopt;
    }
    const ImagePolicy policy = config.image_policy.value_or(ImagePolicy::for_containers());
    return DiskImage::open({.file = selection.image.get(),
                            .path = selection.path,
                            .read_only = read_only,
                            .policy = policy,
                            .switches = switches.image,
                            .verity = verity});
}

// True: the selection's image is now a copy that may be written.
bool copy_image(const Config& config, RootSelection& selection, bool read_only) {
    if (!selection.image || !config.ephemeral || read_only || config.dry_run) {
        return false;
    }
    UniqueFd copy = reflink_image_file(selection.image.get(), selection.path);
    if (!copy) {
        return false;
    }
    selection.image = std::move(copy);
    return true;
}

} // namespace

void RootTree::State::make_ephemeral_copy() {
    layered = image && image_copy.empty();
    if (!image) {
        copy.emplace(EphemeralCopy::create(directory(), selection.path, selection.machine, users));
    } else if (!image->has_usr_only() && image->is_read_only(PartitionRole::root)) {
        copy.emplace(EphemeralCopy::create_over_image(directory(), selection.path, selection.machine, users));
    }
}

RootTree RootTree::open(const Config& config, const EnvironmentSwitches& switches, RootSelection selection) {
    refuse_host_tree(config, selection);
    settle_template(config, switches, selection);
    const CustomMount* const other = mount_in_place_of_tree(config);
    bool read_only = wants_read_only(config, selection);
    bool copied = false;
    std::optional<DiskImage> image;
    if (selection.image && other == nullptr) {
        const VerityAttachments verity = find_verity(config, switches.image, selection.image.get(), selection.path);
        copied = copy_image(config, selection, read_only);
        image = open_disk_image(config, switches, selection, verity,
                                read_only || (config.ephemeral && !copied) || config.dry_run);
    }
    TreeLock lock =
        lock_tree(config, switches, selection, read_only || other != nullptr || (image && image->is_read_only()));
    if (other != nullptr) {
        selection.directory = open_other_tree(*other, selection.directory.get());
        read_only = read_only || other->read_only;
    }
    auto state = std::make_unique<State>(std::move(selection), read_only, std::move(lock));
    if (image) {
        image->attach();
        state->image = std::move(image);
        state->image_copy = copied ? "copy by reference" : "";
    }
    const RootSelection& selected = state->selection;
    // Checked before anything is copied: a tree that cannot be used costs nothing.
    state->new_root = open_new_root(config, state->directory(), selected.path);
    TopLevel top(state->fd());
    check_tree(config, switches, state->fd(), top, selected.path);
    state->users = PrivateUsers::settle({config, state->directory(), selected.path, selected.machine, read_only});
    if (config.dry_run) {
        return RootTree(std::move(state)); // a look, nothing more
    }
    if (config.ephemeral) {
        state->make_ephemeral_copy();
        state->new_root = open_new_root(config, state->top(), selected.path);
    }
    if (!read_only || (state->image && state->image->has_usr_only())) {
        make_base_directories(state->fd(), top);
    }
    if (read_only && state->copy) {
        state->copy->make_read_only();
    }
    if (state->users.ownership() == TreeOwnership::chown) {
        shift_ownership(state->top(), selected.path, state->users.root());
    }
    return RootTree(std::move(state));
}

RootTree::RootTree(std::unique_ptr<State> state) : state_(std::move(state)) {}
RootTree::RootTree(RootTree&&) noexcept = default;
RootTree& RootTree::operator=(RootTree&&) noexcept = default;
RootTree::~RootTree() = default;

void RootTree::release() {
    if (state_ && !state_->copy && !state_->image && !state_->users.any()) {
        state_->lock.remove_files(); // nothing else would outlive us
        return;
    }
    state_.reset();
}

int RootTree::fd() const { return state_->fd(); }

int RootTree::old_root() const { return state_->new_root ? state_->top() : -1; }

bool RootTree::is_overlay() const { return state_->copy && state_->copy->is_detached_mount(); }

bool RootTree::is_image() const { return state_->image.has_value(); }

bool RootTree::is_detached_mount() const {
    return !state_->new_root && (state_->copy ? state_->copy->is_detached_mount() : is_image());
}

void RootTree::renew() {
    if (state_->new_root) {
        return; // a directory of it is cloned as often as needed
    }
    if (state_->image) {
        state_->image->renew();
    }
    if (!state_->copy) {
        return;
    }
    state_->copy->renew(state_->directory());
    if (state_->read_only) {
        state_->copy->make_read_only();
    }
}

// Kept from one start to the next, so that what was written survives a reboot inside.
const EphemeralCopy& RootTree::State::partition_copy(PartitionRole role, const MountFd& mount) {
    const auto known =
        std::find_if(partitions.begin(), partitions.end(), [&](const auto& p) { return p.first == role; });
    if (known != partitions.end()) {
        known->second.renew(mount.get());
        return known->second;
    }
    partitions.emplace_back(role,
                            EphemeralCopy::create_over_image(mount.get(), selection.path, selection.machine, users));
    return partitions.back().second;
}

// Where "/" is going to be mapped, what lies on it is mapped with it.
void RootTree::State::give_partition_to_users(DiskImage::Further& further, bool root_is_mapped_already) const {
    if (users.ownership() == TreeOwnership::map && root_is_mapped_already) {
        further.mount = users.mapped_mount(further.mount.get());
    } else if (users.ownership() == TreeOwnership::chown && !image->is_read_only(further.role)) {
        shift_ownership(further.mount.get(), selection.path, users.root());
    }
}

std::vector<std::string> RootTree::attach_partitions(MountFd& root, bool with_usr) const {
    if (!state_->image) {
        return {};
    }
    for (DiskImage::Further& further : state_->image->mount_others(with_usr || state_->copy)) {
        const bool boot = mount_point_of(further.role) == nullptr; // may be of a kind that takes no layer
        if (state_->layered && !state_->read_only && !boot) {
            const EphemeralCopy& copy = state_->partition_copy(further.role, further.mount);
            further.mount = MountFd(duplicate(copy.fd()).or_throw(state_->selection.path));
        } else {
            state_->give_partition_to_users(further, with_usr || is_overlay());
        }
        state_->image->place(root, further);
    }
    return state_->image->take_notices();
}

const PrivateUsers& RootTree::users() const { return state_->users; }

void RootTree::unlock_user_database() { state_->users.range().unlock_user_database(); }

const std::string& RootTree::path() const { return state_->selection.path; }

std::string RootTree::machine() const { return state_->selection.machine + state_->selection.machine_suffix; }

bool RootTree::read_only() const { return state_->read_only; }

bool RootTree::ephemeral() const { return state_->copy || state_->layered || !state_->image_copy.empty(); }

const std::string& RootTree::ephemeral_description() const {
    return state_->copy ? state_->copy->description() : state_->image_copy;
}

} // namespace nspawn
