// cgroup_branch.hpp — the groups made for one machine in one hierarchy: UNIT/TOP and UNIT/TOP/payload, or one alone.
//
// Owns the directories and removes them, with all that the payload made below, when dropped. The top directory is
// locked (flock) as long as its owner lives: a group that is not locked was left behind by a killed run and may be
// cleared away by whoever finds it. Acts on descriptors only; never looks a path up twice.
// Sources: cgroups(7), kernel documentation admin-guide/cgroup-v2 and admin-guide/cgroup-v1, flock(2).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>

#include <sys/types.h>

namespace nspawn {

class CgroupBranch {
public:
    // Makes the group `name` below the directory `unit`. An empty one that a killed run
    // left is replaced; EEXIST: there is one in use.
    static Result<CgroupBranch> create(const std::string& unit, const std::string& name);
    // Makes the group "payload" below it, unless it is there. What is set above before holds for it.
    Result<void> nest();

    CgroupBranch(CgroupBranch&&) noexcept = default;
    CgroupBranch& operator=(CgroupBranch&&) noexcept = delete;
    ~CgroupBranch();

    // The directory it was made in.
    [[nodiscard]] Result<UniqueFd> open_unit() const;
    [[nodiscard]] int top() const { return top_.get(); }
    // The group that the payload's first process starts in.
    [[nodiscard]] int payload() const { return payload_.valid() ? payload_.get() : top_.get(); }
    // Of the top directory.
    [[nodiscard]] const std::string& path() const { return path_; }

    // Gives the payload's group, but none above it, to the container's root.
    [[nodiscard]] Result<void> delegate_to(uid_t uid, gid_t gid) const;
    // Kills all that runs in it and waits until it is gone.
    [[nodiscard]] Result<void> kill_all() const;
    // Removes everything; what still runs in it is killed first. The destructor does it unless it was done. Descriptors
    // stay open until then.
    Result<void> remove();

private:
    CgroupBranch() = default;

    UniqueFd top_;
    UniqueFd payload_; // invalid until nest()
    std::string path_; // empty: removed
};

// Removes what a killed run left at `path` (of a CgroupBranch), and kills what survived in it. EAGAIN: its owner lives;
// ENOTSUP: not a group that a CgroupBranch makes. A path that is gone is a success.
Result<void> remove_leftover_cgroup(const std::string& path);
// The same for a path at which one was about to be made: somebody else's group may stand there. ENOTSUP also for one
// with processes in it.
Result<void> remove_empty_leftover_cgroup(const std::string& path);

} // namespace nspawn
