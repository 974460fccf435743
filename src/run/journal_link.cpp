#include "run/journal_link.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <climits>
#include <utility>

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

std::string entry_path(const JournalPlan& plan) { return fmt::format("{}/{}", kJournalDirectory, plan.id.plain()); }

JournalEntry look_at(const JournalPlan& plan) {
    if (plan.fresh_id) {
        return JournalEntry::missing;
    }
    const std::string path = entry_path(plan);
    struct stat status {};
    if (lstat(path.c_str(), &status) < 0) {
        return errno == ENOENT || errno == ENOTDIR ? JournalEntry::missing : JournalEntry::other;
    }
    if (is_mount_point(AT_FDCWD, path.c_str())) {
        return JournalEntry::mount_point;
    }
    if (S_ISLNK(status.st_mode)) {
        std::array<char, PATH_MAX> link; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlink
        const ssize_t size = readlink(path.c_str(), link.data(), link.size());
        return size >= 0 && std::string_view(link.data(), static_cast<size_t>(size)) == plan.tree_path
                   ? JournalEntry::link_to_tree
                   : JournalEntry::other_link;
    }
    return S_ISDIR(status.st_mode) ? JournalEntry::directory : JournalEntry::other;
}

// The container would write into the host's own journal.
bool is_hosts_id(const Id128& id) {
    const Result<std::string> text = read_file(AT_FDCWD, "/etc/machine-id", 128);
    return text.ok() && Id128::parse(trim(text.value())) == id;
}

// What ends the start of who insists, and is skipped otherwise.
void give_up(const JournalPlan& plan, const std::string& reason) {
    if (!plan.is_soft()) {
        throw Error(fmt::format("--link-journal={}: {}", to_word(plan.mode), reason));
    }
    log::warning("the container's journal is not linked: {}", reason);
}

} // namespace

JournalLink::JournalLink(const JournalPlan& plan, const IdMap& users) {
    if (plan.mode == LinkJournal::no) {
        return;
    }
    entry_ = look_at(plan);
    const JournalAction action = decide_journal(plan.mode, entry_);
    if (action != JournalAction::nothing && is_hosts_id(plan.id)) {
        give_up(plan, fmt::format("the container has the host's own machine id, {}", plan.id.plain()));
        return;
    }
    plan_ = &plan;
    name_ = plan.id.plain();
    switch (action) {
    case JournalAction::nothing:
        return;
    case JournalAction::refuse:
    case JournalAction::skip:
        give_up(plan, fmt::format("{} {}", entry_path(plan),
                                  entry_ == JournalEntry::mount_point ? "is a mount point already"
                                                                      : "is neither a directory nor a symbolic link"));
        return;
    case JournalAction::make_directory:
        wants_directory_ = true;
        return;
    case JournalAction::link:
        wants_directory_ = true;
        wants_link_ = true;
        break;
    case JournalAction::forget_link:
    case JournalAction::bind:
    case JournalAction::make_and_bind:
        break;
    }
    Result<UniqueFd> directory = open_at(AT_FDCWD, kJournalDirectory, O_PATH | O_DIRECTORY);
    if (!directory.ok()) {
        wants_directory_ = false;
        wants_link_ = false;
        if (!plan.is_soft()) {
            give_up(plan, fmt::format("{} of the host: {}", kJournalDirectory, error_text(directory.error())));
        }
        return; // no journal is kept on disk here, which is what the soft modes are for
    }
    directory_ = std::move(directory).value();
    prepare_bind(action, entry_, users);
}

// The container's journal daemon is root there: what root owns on the host, and what it makes, is the same on disk.
Result<void> JournalLink::map_users(const IdMap& users) const {
    if (users.empty()) {
        return {};
    }
    const Result<UniqueFd> space = make_user_namespace(users);
    return space.ok() ? mount_.set_id_map(space.value().get(), Recursive::no) : space.system_error();
}

void JournalLink::prepare_bind(JournalAction action, JournalEntry entry, const IdMap& users) {
    if (action == JournalAction::link) {
        return;
    }
    if (entry == JournalEntry::other_link || entry == JournalEntry::link_to_tree) {
        if (const Result<void> cleared = clear_entry(); !cleared.ok()) {
            return give_up(*plan_, fmt::format("{}: {}", entry_path(*plan_), error_text(cleared.error())));
        }
    }
    if (action == JournalAction::forget_link) {
        return;
    }
    if (action == JournalAction::make_and_bind) {
        if (mkdirat(directory_.get(), name_.c_str(), 0755) < 0) {
            return give_up(*plan_, fmt::format("{}: mkdir: {}", entry_path(*plan_), error_text(errno)));
        }
        made_directory_ = true;
    }
    // Journals are neither programs nor devices.
    Result<MountFd> mount =
        MountFd::clone_with(directory_.get(), name_.c_str(), Recursive::no,
                            {MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, Propagation::private_});
    if (!mount.ok()) {
        return give_up(*plan_, fmt::format("{}: {}", entry_path(*plan_), error_text(mount.error())));
    }
    mount_ = std::move(mount).value();
    if (const Result<void> mapped = map_users(users); !mapped.ok()) {
        mount_ = MountFd();
        return give_up(*plan_, fmt::format("{}: its owners cannot be mapped to the container's: {}", entry_path(*plan_),
                                           error_text(mapped.error())));
    }
    wants_directory_ = true;
}

Result<void> JournalLink::clear_entry() const {
    const bool is_directory = entry_ == JournalEntry::directory;
    const Result<void> removed =
        check(unlinkat(directory_.get(), name_.c_str(), is_directory ? AT_REMOVEDIR : 0), "unlinkat");
    return removed.error() == ENOENT ? Result<void>() : removed;
}

Result<void> JournalLink::make_link() const {
    if (entry_ != JournalEntry::missing) {
        if (const Result<void> cleared = clear_entry(); !cleared.ok()) {
            return cleared;
        }
    }
    const Result<void> made = check(symlinkat(plan_->tree_path.c_str(), directory_.get(), name_.c_str()), "symlinkat");
    if (!made.ok() && entry_ == JournalEntry::directory) {
        (void)mkdirat(directory_.get(), name_.c_str(), 0755);
    }
    return made;
}

void JournalLink::complete(bool in_place) {
    if (in_place) {
        made_directory_ = false; // it stays
    }
    mount_ = MountFd(); // the child has it
    if (!wants_link_ || !in_place) {
        return;
    }
    if (const Result<void> linked = make_link(); !linked.ok()) {
        give_up(*plan_, fmt::format("{} on the host: {}: {}", entry_path(*plan_), linked.system_error().call,
                                    error_text(linked.error())));
    }
}

JournalLink::JournalLink(JournalLink&& other) noexcept { *this = std::move(other); }

JournalLink& JournalLink::operator=(JournalLink&& other) noexcept {
    std::swap(plan_, other.plan_);
    std::swap(directory_, other.directory_);
    std::swap(name_, other.name_);
    std::swap(entry_, other.entry_);
    std::swap(mount_, other.mount_);
    std::swap(wants_directory_, other.wants_directory_);
    std::swap(wants_link_, other.wants_link_);
    std::swap(made_directory_, other.made_directory_);
    return *this;
}

JournalLink::~JournalLink() {
    if (made_directory_) {
        (void)unlinkat(directory_.get(), name_.c_str(), AT_REMOVEDIR);
    }
}

} // namespace nspawn
