// cgroup.hpp — the control groups of one machine: made before the start, removed after the end.
//
// On version 2 (pure or hybrid hosts) the payload is born in its group, through descriptor(): writing cgroup.procs
// afterwards would wait for an RCU grace period, about 12 ms on an idle machine. Version 1 knows no other way than
// add_process(). Never a reason not to start: what could not be had is a sentence for a notice.
// Layout and delegation: spec C.4; cgroups(7); kernel documentation admin-guide/cgroup-v2 "Delegation".
#pragma once

#include "base/inline_function.hpp"
#include "linux/cgroup_branch.hpp"
#include "linux/cgroup_hierarchies.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

struct CgroupRequest {
    std::string_view machine;
    // Below our own group itself (--keep-unit), instead of in a scope of its own.
    bool keep_unit = false;
    // On a hybrid host also the version 1 hierarchy name=systemd, for a container that is to see it.
    bool with_named_systemd = false;
};

// Called with the path of a group that is about to be made at it. (If somebody else's is there, another follows.)
using BeforeMaking = InlineFunction<void(const std::string& path)>;

class Cgroup {
public:
    struct Outcome;
    // Makes the groups and enables all controllers that are available for them.
    static Outcome create(const CgroupHierarchies& hierarchies, const CgroupRequest& request,
                          BeforeMaking before_making = {});

    Cgroup(Cgroup&&) noexcept = default;
    Cgroup& operator=(Cgroup&&) noexcept = delete;
    ~Cgroup();

    // For CLONE_INTO_CGROUP; -1 on a host that has only version 1.
    [[nodiscard]] int descriptor() const;
    // The group that limits and the device policy belong to, on version 2; -1 as above. Lies above descriptor() unless
    // the unit was kept, so the payload cannot change it.
    [[nodiscard]] int policy_descriptor() const;
    // True when add_process() has something to do.
    [[nodiscard]] bool needs_add() const { return !version1_.empty(); }
    // Moves the payload's first process, before it may run, into its version 1 groups.
    [[nodiscard]] Result<void> add_process(pid_t pid);

    // The group above the payload's in the version 1 hierarchy of `controller`, made when it is not there yet; to be
    // asked for before delegate_to() and add_process(). ENOENT: not mounted.
    Result<int> version1_group(std::string_view controller, BeforeMaking before_making = {});

    [[nodiscard]] Result<void> delegate_to(uid_t uid, gid_t gid);
    [[nodiscard]] Result<void> kill_all() const;
    // Removes everything and goes back to our own group; the destructor does it unless it was done.
    Result<void> remove();

    // What remove_leftover_cgroup() has to clear away if we are killed.
    [[nodiscard]] std::vector<std::string> paths() const;

private:
    struct Version1 {
        std::string controllers;
        CgroupBranch branch;
    };

    Cgroup(const CgroupHierarchies& hierarchies, const CgroupRequest& request);
    [[nodiscard]] Result<CgroupBranch> make_branch(const std::string& unit, BeforeMaking before_making) const;
    Result<void> add_version2(const CgroupHierarchy& hierarchy, BeforeMaking before_making);
    Result<void> add_version1(const CgroupHierarchy& hierarchy, BeforeMaking before_making);
    Result<void> nest_version1();
    void enable_controllers();
    Result<void> step_aside(int unit);
    void step_back();

    CgroupHierarchies hierarchies_;
    std::string name_;
    bool nested_;
    std::optional<CgroupBranch> version2_;
    std::vector<Version1> version1_;
    UniqueFd supervisor_;       // the group that we moved ourselves to, if we had to
    std::string enabled_aside_; // the controllers that we did it for
};

struct Cgroup::Outcome {
    std::optional<Cgroup> cgroup;
    std::string missing; // one clause for a notice; empty when nothing is
};

// "machine-NAME.scope", with the name escaped as systemd.unit(5) says under "String escaping".
std::string scope_name(std::string_view machine);

} // namespace nspawn
