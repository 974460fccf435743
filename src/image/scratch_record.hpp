// scratch_record.hpp — what a run has lying about, so that somebody can clear it away after a SIGKILL.
//
// Owns one small file in /run/nspawn/runs (without root: $XDG_RUNTIME_DIR/nspawn/runs; the directory stays, so that the
// next run need not make it) with one line "KIND PATH" per thing that outlives a killed supervisor. A thing is recorded
// before it is made. The owner holds the file's flock(2) as long as it lives; a record that nobody locks belongs to a
// dead run, and reclaim_dead_runs() of any later run removes what it lists. Never removes a path that is not of the
// shape that its kind calls for.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

enum class ScratchKind {
    tree,         // a ScratchDirectory with all that is in it, btrfs subvolumes too
    cgroup,       // a control group made by CgroupBranch, with the groups below it and what runs in them
    directory,    // an empty directory below the runtime directory, which living runs may have a PathClaim on
    mount,        // a ScratchMount below the runtime directory, with the directory it is on
    file,         // a regular file, socket, FIFO or symbolic link below the runtime directory
    empty_cgroup, // as cgroup, but before it is known that the group there is ours: only while nothing runs in it
    zone_bridge,  // "/NAME": the bridge of a zone, when it has no members any more; of_this_network()
    lent_link,    // "/" and LentLink::text(): an interface of the host that the container had
    network,      // "/MACHINE/LEADER/NUMBER": says where a network is, nothing to remove
    ports,        // kPortRecords: what killed workers have left in the packet filter, which nspawn-network takes back;
                  // of_this_network()
    lease,        // lease_file() of a machine: dead by now, so that the table of leases forgets it; of_this_network()
    address,      // "/LINK/ADDRESS/LEADER/NUMBER": who claims it, nothing to remove; of_this_network()
};

class ScratchRecord {
public:
    // Costs nothing until something is added.
    ScratchRecord() = default;
    ScratchRecord(ScratchRecord&& other) noexcept;
    ScratchRecord& operator=(ScratchRecord&&) = delete;
    // As finish().
    ~ScratchRecord();

    // Removes the record, since by now everything in it is gone; unless keep() was called. Nothing may be added later.
    void finish();

    // Call it BEFORE the thing is made. Not being able to record is a warning, not an error: the run would go on
    // to clean up after itself, only a killed one could not.
    void add(ScratchKind kind, std::string_view path);
    // The same for what can wait until the next add() or write(): one call to the kernel for all of it.
    void add_later(ScratchKind kind, std::string_view path);
    void write();
    // Something could not be removed: leave the record, the next run tries again.
    void keep() { keep_ = true; }
    // Its lock is held as long as this, or a copy of it, is open.
    [[nodiscard]] int fd() const { return file_.get(); }
    // Whether its file has this name; false when there is none.
    [[nodiscard]] bool is_called(std::string_view name) const;

private:
    [[nodiscard]] Result<void> make();

    UniqueFd file_;
    std::string path_;    // of the record; empty: not made
    std::string waiting_; // lines of add_later()
    bool keep_ = false;
    bool failed_ = false;
};

// Names of links and rules are each network namespace's own: "/NAMESPACE" before the path, for kinds that say so. Such
// a record is left to a run in the same one as long as that exists.
std::string of_this_network(std::string_view path);

// Clears away what dead runs left, without a look at the caller's own record. Never throws and never blocks; what
// cannot be removed stays recorded.
void reclaim_dead_runs(const ScratchRecord* own = nullptr);

// What runs that are alive have recorded of this kind, without the caller's own record.
std::vector<std::string> recorded_by_living_runs(ScratchKind kind, const ScratchRecord* own = nullptr);

// "/run", or without root $XDG_RUNTIME_DIR; empty when a user has none.
std::string runtime_directory();

} // namespace nspawn
