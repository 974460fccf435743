// cgroup_hierarchies.hpp — which control group hierarchies are mounted, and where our own group lies in each.
//
// Facts only: never creates, moves or opens a group. The usual mount points are tried first, so that a host with a
// thousand mounts does not pay for reading its mount table; that is read only when they are not in use.
// Sources: cgroups(7), proc(5) "mountinfo", kernel documentation admin-guide/cgroup-v2.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

// A line of /proc/self/cgroup. `controllers` is empty for version 2, else "cpu,cpuacct" or "name=systemd".
struct OwnCgroup {
    std::string_view controllers;
    std::string_view path;
};
// Views into `text`. Groups that were removed or lie outside our cgroup namespace cannot be reached and are left out.
std::vector<OwnCgroup> parse_own_cgroups(std::string_view text);

// A mounted hierarchy.
struct CgroupMount {
    bool version2 = false;
    std::string root;    // the group that the mount shows at its top, "/" for all of it
    std::string target;  // where it is mounted
    std::string options; // of the file system: names its controllers on version 1
};
std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo);

// One hierarchy as this process can reach it.
struct CgroupHierarchy {
    std::string controllers; // as in OwnCgroup
    std::string unit;        // directory of our group, without a last component "supervisor" (see own_unit())
    bool operator==(const CgroupHierarchy&) const = default;
};

enum class CgroupLayout { none, unified, hybrid, legacy };

struct CgroupHierarchies {
    CgroupLayout layout = CgroupLayout::none;
    std::optional<CgroupHierarchy> version2;
    std::vector<CgroupHierarchy> version1;

    // The version 1 hierarchy with this controller ("devices", "name=systemd"), or null.
    [[nodiscard]] const CgroupHierarchy* find_version1(std::string_view controller) const;
};
CgroupHierarchies combine(const std::vector<OwnCgroup>& groups, const std::vector<CgroupMount>& mounts);

// The group our service manager gave us: with DelegateSubgroup=supervisor the process itself lies one level below.
std::string_view own_unit(std::string_view path);

// Looks at the running system. Never fails: what cannot be read is not there.
CgroupHierarchies probe_cgroups();

} // namespace nspawn
