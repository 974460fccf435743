// journal_link.hpp — the host's half of --link-journal=: what becomes of /var/log/journal/ID on the host.
//
// Owns the directory that was made there for this start until complete() says that the container has it; dropping it
// before takes the directory away again. A link is made only then, so that a start that fails leaves none. The tree's
// half is child_journal.cpp's; nothing here ever enters the tree. Source: spec C.10, systemd-nspawn(1).
#pragma once

#include "linux/id_map.hpp"
#include "linux/mount_fd.hpp"
#include "plan/host_files.hpp"

#include <string>

namespace nspawn {

class JournalLink {
public:
    JournalLink() = default; // nothing to do
    // `users`: the container's private ones, or none. Throws what ends the start; what is only skipped is logged.
    JournalLink(const JournalPlan& plan, const IdMap& users);
    JournalLink(JournalLink&& other) noexcept;
    JournalLink& operator=(JournalLink&& other) noexcept;
    ~JournalLink();

    // The tree is to have a /var/log/journal, and in it a directory for the container, which `mount` goes on if valid.
    [[nodiscard]] bool wants_journal() const { return plan_ != nullptr; }
    [[nodiscard]] bool wants_directory() const { return wants_directory_; }
    [[nodiscard]] const MountFd& mount() const { return mount_; }
    [[nodiscard]] const JournalPlan& plan() const { return *plan_; }

    // The payload is about to run. `in_place`: the tree has the directory.
    void complete(bool in_place);

private:
    void prepare_bind(JournalAction action, JournalEntry entry, const IdMap& users);
    [[nodiscard]] Result<void> map_users(const IdMap& users) const;
    [[nodiscard]] Result<void> make_link() const;
    [[nodiscard]] Result<void> clear_entry() const;

    const JournalPlan* plan_ = nullptr;
    UniqueFd directory_; // the host's /var/log/journal
    std::string name_;
    JournalEntry entry_ = JournalEntry::missing;
    MountFd mount_;
    bool wants_directory_ = false;
    bool wants_link_ = false;
    bool made_directory_ = false;
};

} // namespace nspawn
