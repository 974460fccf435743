#include "image/root_tree.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "image/disk_image.hpp"
#include "image/ephemeral.hpp"
#include "image/os_tree_check.hpp"
#include "image/tree_lock.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include <fcntl.h>

namespace nspawn {

struct RootTree::State {
    RootSelection selection;
    bool read_only = false;
    std::string no_description;
    TreeLock lock;
    std::optional<DiskImage> image;
    std::optional<EphemeralCopy> copy; // last, so that it goes first

    State(RootSelection selected, bool untouched, TreeLock held)
        : selection(std::move(selected)), read_only(untouched), lock(std::move(held)) {}
    [[nodiscard]] int directory() const { return image ? image->root().get() : selection.directory.get(); }
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
                                         const RootSelection& selection) {
    if (!selection.image) {
        return std::nullopt;
    }
    VerityWish verity;
    verity.root_hash = config.root_hash;
    const ImagePolicy policy = config.image_policy.value_or(ImagePolicy::for_containers());
    return DiskImage::open({.file = selection.image.get(),
                            .path = selection.path,
                            .read_only = wants_read_only(config, selection) || config.ephemeral || config.dry_run,
                            .policy = policy,
                            .switches = switches.image,
                            .verity = verity});
}

} // namespace

RootTree RootTree::open(const Config& config, const EnvironmentSwitches& switches, RootSelection selection) {
    refuse_host_tree(config, selection);
    const bool read_only = wants_read_only(config, selection);
    std::optional<DiskImage> image = open_disk_image(config, switches, selection);
    TreeLock lock = lock_tree(config, switches, selection, read_only || (image && image->read_only()));
    auto state = std::make_unique<State>(std::move(selection), read_only, std::move(lock));
    if (image) {
        image->attach();
        state->image = std::move(image);
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
        state->copy.emplace(EphemeralCopy::create(state->directory(), state->selection.path, state->selection.machine));
    }
    if (!read_only || (state->image && state->image->has_usr_only())) {
        make_base_directories(state->fd(), top);
    }
    if (read_only && state->copy) {
        state->copy->make_read_only();
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
    state_->copy->renew();
    if (state_->read_only) {
        state_->copy->make_read_only();
    }
}

const std::string& RootTree::path() const { return state_->selection.path; }

std::string RootTree::machine() const { return state_->selection.machine + state_->selection.machine_suffix; }

bool RootTree::read_only() const { return state_->read_only; }

bool RootTree::ephemeral() const { return state_->copy.has_value(); }

const std::string& RootTree::ephemeral_description() const {
    return state_->copy ? state_->copy->description() : state_->no_description;
}

} // namespace nspawn
