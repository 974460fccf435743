#include "image/root_tree.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "image/disk_image.hpp"
#include "image/ephemeral.hpp"
#include "image/image_file.hpp"
#include "image/os_tree_check.hpp"
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
    std::vector<std::pair<PartitionRole, EphemeralCopy>>
        partitions;                    // throw-away copies of the image's other partitions
    bool layered = false;              // what the image can write goes to layers over it
    std::optional<EphemeralCopy> copy; // last, so that it goes first

    State(RootSelection selected, bool untouched, TreeLock held)
        : selection(std::move(selected)), read_only(untouched), lock(std::move(held)) {}
    [[nodiscard]] int directory() const { return image ? image->root().get() : selection.directory.get(); }
    void make_ephemeral_copy();
    [[nodiscard]] const EphemeralCopy& partition_copy(PartitionRole role, const MountFd& mount);
    [[nodiscard]] int fd() const { return copy ? copy->fd() : directory(); }
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

} // namespace

namespace {

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
        copy.emplace(EphemeralCopy::create(directory(), selection.path, selection.machine));
    } else if (!image->has_usr_only() && image->is_read_only(PartitionRole::root)) {
        copy.emplace(EphemeralCopy::create_over_image(directory(), selection.path, selection.machine));
    }
    if (read_only && copy) {
        copy->make_read_only();
    }
}

RootTree RootTree::open(const Config& config, const EnvironmentSwitches& switches, RootSelection selection) {
    refuse_host_tree(config, selection);
    const bool read_only = wants_read_only(config, selection);
    VerityAttachments verity;
    if (selection.image) {
        verity = find_verity(config, switches.image, selection.image.get(), selection.path);
    }
    const bool copied = copy_image(config, selection, read_only);
    std::optional<DiskImage> image = open_disk_image(config, switches, selection, verity,
                                                     read_only || (config.ephemeral && !copied) || config.dry_run);
    TreeLock lock = lock_tree(config, switches, selection, read_only || (image && image->is_read_only()));
    auto state = std::make_unique<State>(std::move(selection), read_only, std::move(lock));
    if (image) {
        image->attach();
        state->image = std::move(image);
        state->image_copy = copied ? "copy by reference" : "";
    }
    // Checked before anything is copied: a tree that cannot be used costs nothing.
    TopLevel top(state->directory());
    const bool boot = config.start_mode == StartMode::boot;
    if (!boot || switches.check_os_release) {
        check_os_tree(state->directory(), top, state->selection.path, boot);
    }
    if (config.dry_run) {
        return RootTree(std::move(state)); // a look, nothing more
    }
    if (config.ephemeral) {
        state->make_ephemeral_copy();
    }
    if (!read_only || (state->image && state->image->has_usr_only())) {
        make_base_directories(state->fd(), top);
    }
    return RootTree(std::move(state));
}

RootTree::RootTree(std::unique_ptr<State> state) : state_(std::move(state)) {}
RootTree::RootTree(RootTree&&) noexcept = default;
RootTree& RootTree::operator=(RootTree&&) noexcept = default;
RootTree::~RootTree() = default;

void RootTree::release() { state_.reset(); }

int RootTree::fd() const { return state_->fd(); }

bool RootTree::is_detached_mount() const {
    return state_->copy ? state_->copy->is_detached_mount() : state_->image.has_value();
}

void RootTree::renew() {
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
    partitions.emplace_back(role, EphemeralCopy::create_over_image(mount.get(), selection.path, selection.machine));
    return partitions.back().second;
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
        }
        state_->image->place(root, further);
    }
    return state_->image->take_notices();
}

const std::string& RootTree::path() const { return state_->selection.path; }

std::string RootTree::machine() const { return state_->selection.machine + state_->selection.machine_suffix; }

bool RootTree::read_only() const { return state_->read_only; }

bool RootTree::ephemeral() const { return state_->copy || state_->layered || !state_->image_copy.empty(); }

bool RootTree::is_image() const { return state_->image.has_value(); }

const std::string& RootTree::ephemeral_description() const {
    return state_->copy ? state_->copy->description() : state_->image_copy;
}

} // namespace nspawn
