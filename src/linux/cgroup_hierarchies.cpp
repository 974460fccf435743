#include "linux/cgroup_hierarchies.hpp"

#include "base/file.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "linux/kernel_file.hpp"

#include <algorithm>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kOwnCgroupsLimit = size_t{64} << 10;
constexpr size_t kMountinfoLimit = size_t{16} << 20;
constexpr std::string_view kUsualTop = "/sys/fs/cgroup";
constexpr std::string_view kSupervisorSuffix = "/supervisor";
constexpr std::string_view kUsualHybrid = "/sys/fs/cgroup/unified";

bool is_version2_mount(std::string_view path) {
    struct statfs status {};
    return ::statfs(std::string(path).c_str(), &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}

// Mount points in mountinfo have blank, tab, newline and backslash as three octal digits.
std::string unescape_octal(std::string_view text) {
    const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
            is_octal(text[i + 3])) {
            result += static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0'));
            i += 3;
        } else {
            result += text[i];
        }
    }
    return result;
}

bool has_all_controllers(std::string_view options, std::string_view controllers) {
    const std::vector<std::string_view> present = split(options, ',');
    const std::vector<std::string_view> wanted = split(controllers, ',');
    return std::all_of(wanted.begin(), wanted.end(), [&](std::string_view controller) {
        return std::find(present.begin(), present.end(), controller) != present.end();
    });
}

// The directory in which `mount` shows the group `path`, unless it lies above what the mount shows.
std::optional<std::string> directory_of(const CgroupMount& mount, std::string_view path) {
    if (!is_within(path, mount.root)) {
        return std::nullopt;
    }
    if (mount.root != "/") {
        path.remove_prefix(mount.root.size());
    }
    return path.empty() || path == "/" ? mount.target : mount.target + std::string(path);
}

bool serves(const CgroupMount& mount, const OwnCgroup& group) {
    if (group.controllers.empty() || mount.version2) {
        return group.controllers.empty() && mount.version2;
    }
    return has_all_controllers(mount.options, group.controllers);
}

// Where distributions mount the version 1 hierarchy of `controllers`: below the top, by its name.
CgroupMount usual_version1_mount(std::string_view controllers) {
    std::string_view name = controllers;
    if (name.starts_with("name=")) {
        name.remove_prefix(5);
    }
    return {false, "/", std::string(kUsualTop) + "/" + std::string(name), std::string(controllers)};
}

std::vector<CgroupMount> hybrid_mounts(const std::vector<OwnCgroup>& groups) {
    std::vector<CgroupMount> mounts = {{true, "/", std::string(kUsualHybrid), {}}};
    for (const OwnCgroup& group : groups) {
        if (!group.controllers.empty()) {
            mounts.push_back(usual_version1_mount(group.controllers));
        }
    }
    return mounts;
}

// The mounts at the usual places; empty when they are not in use.
std::vector<CgroupMount> usual_mounts(const std::vector<OwnCgroup>& groups) {
    const bool version1 =
        std::any_of(groups.begin(), groups.end(), [](const OwnCgroup& group) { return !group.controllers.empty(); });
    if (version1 && is_version2_mount(kUsualHybrid)) {
        return hybrid_mounts(groups);
    }
    if (is_version2_mount(kUsualTop)) {
        return {{true, "/", std::string(kUsualTop), {}}};
    }
    return is_version2_mount(kUsualHybrid) ? hybrid_mounts(groups) : std::vector<CgroupMount>();
}

// In a container without a cgroup namespace the usual mount shows only a part, and our path leads nowhere.
bool exists(const CgroupHierarchy& hierarchy) {
    return hierarchy.unit == kUsualTop || hierarchy.unit == kUsualHybrid || ::access(hierarchy.unit.c_str(), F_OK) == 0;
}

} // namespace

std::vector<OwnCgroup> parse_own_cgroups(std::string_view text) {
    std::vector<OwnCgroup> groups;
    while (!text.empty()) {
        const std::string_view line = take_until(text, '\n');
        const size_t first = line.find(':');
        const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) {
            continue;
        }
        const std::string_view path = line.substr(second + 1);
        const bool outside_namespace = path == "/.." || path.starts_with("/../");
        const bool removed = path.ends_with(" (deleted)");
        if (is_absolute(path) && !outside_namespace && !removed) {
            groups.push_back({line.substr(first + 1, second - first - 1), path});
        }
    }
    return groups;
}

// 36 35 98:0 /root /target rw,noatime shared:1 - type source rw,options
std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo) {
    std::vector<CgroupMount> mounts;
    while (!mountinfo.empty()) {
        const std::string_view line = take_until(mountinfo, '\n');
        const size_t separator = line.find(" - cgroup");
        if (separator == std::string_view::npos) {
            continue;
        }
        const std::vector<std::string_view> left = split(line.substr(0, separator), ' ');
        const std::vector<std::string_view> right = split(line.substr(separator + 3), ' ');
        if (left.size() < 5 || right.size() < 3 || (right[0] != "cgroup" && right[0] != "cgroup2")) {
            continue;
        }
        mounts.push_back(
            {right[0] == "cgroup2", unescape_octal(left[3]), unescape_octal(left[4]), std::string(right[2])});
    }
    return mounts;
}

std::string_view own_unit(std::string_view path) {
    if (path.ends_with(kSupervisorSuffix)) {
        path.remove_suffix(kSupervisorSuffix.size());
    }
    return path.empty() ? "/" : path;
}

CgroupHierarchies combine(const std::vector<OwnCgroup>& groups, const std::vector<CgroupMount>& mounts) {
    CgroupHierarchies result;
    for (const OwnCgroup& group : groups) {
        for (const CgroupMount& mount : mounts) {
            std::optional<std::string> unit =
                serves(mount, group) ? directory_of(mount, own_unit(group.path)) : std::nullopt;
            if (!unit) {
                continue;
            }
            CgroupHierarchy hierarchy{std::string(group.controllers), std::move(*unit)};
            if (mount.version2) {
                result.version2 = std::move(hierarchy);
            } else {
                result.version1.push_back(std::move(hierarchy));
            }
            break;
        }
    }
    if (result.version2) {
        result.layout = result.version1.empty() ? CgroupLayout::unified : CgroupLayout::hybrid;
    } else {
        result.layout = result.version1.empty() ? CgroupLayout::none : CgroupLayout::legacy;
    }
    return result;
}

const CgroupHierarchy* CgroupHierarchies::find_version1(std::string_view controller) const {
    const auto found = std::find_if(version1.begin(), version1.end(), [&](const CgroupHierarchy& hierarchy) {
        return has_all_controllers(hierarchy.controllers, controller);
    });
    return found == version1.end() ? nullptr : &*found;
}

CgroupHierarchies probe_cgroups() {
    const Result<std::string> own = read_kernel_file(AT_FDCWD, "/proc/self/cgroup", kOwnCgroupsLimit);
    if (!own.ok()) {
        return {};
    }
    const std::vector<OwnCgroup> groups = parse_own_cgroups(own.value());
    CgroupHierarchies usual = combine(groups, usual_mounts(groups));
    if (usual.version2 && exists(*usual.version2)) {
        return usual;
    }
    const Result<std::string> mountinfo = read_file(AT_FDCWD, "/proc/self/mountinfo", kMountinfoLimit);
    return mountinfo.ok() ? combine(groups, parse_cgroup_mounts(mountinfo.value())) : CgroupHierarchies{};
}

} // namespace nspawn
