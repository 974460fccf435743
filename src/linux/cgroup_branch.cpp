#include "linux/cgroup_branch.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/path.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

namespace nspawn {

namespace {

constexpr const char* kPayload = "payload";
constexpr int64_t kPatienceMs = 10'000; // for killed processes to go; a process in uninterruptible sleep may outlast it
constexpr size_t kEventsLimit = 4096;
constexpr int kMostAttempts = 64; // at a name that others make and remove meanwhile
constexpr size_t kPidListLimit = size_t{4} << 20;

enum class Survivors { keep, kill };

// What cgroup-v2 names as the files to hand over with the directory, and their kin of version 1 (spec C.4).
constexpr std::array kDelegatedFiles = {
    "cgroup.procs", "cgroup.threads",        "cgroup.subtree_control", "cgroup.controllers", "cgroup.events",
    "cgroup.stat",  "cgroup.clone_children", "memory.oom.group",       "memory.reclaim",     "notify_on_release",
    "tasks",
};

int64_t now_ms() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

int remaining_ms(int64_t deadline) { return static_cast<int>(std::max<int64_t>(0, deadline - now_ms())); }

Result<UniqueFd> open_directory(int at, const char* path) {
    return open_at(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

bool is_cgroup(int fd) {
    struct statfs status {};
    return ::fstatfs(fd, &status) == 0 && (status.f_type == CGROUP2_SUPER_MAGIC || status.f_type == CGROUP_SUPER_MAGIC);
}

bool lock(int fd) { return ::flock(fd, LOCK_EX | LOCK_NB) == 0; }

// Still the group of its name. To be asked behind lock(): the one who held the lock may have removed it, and what has
// the name by now is somebody else's. From then on only the holder may remove it.
bool is_alive(int group) { return ::faccessat(group, "cgroup.procs", F_OK, 0) == 0; }

Result<void> remove_directory(int at, const char* name) {
    if (::unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return {};
    }
    return last_error("rmdir");
}

// Name of the first group below `group`; empty when there is none.
Result<std::string> first_child(int group) {
    const Result<UniqueFd> copy = open_directory(group, ".");
    if (!copy.ok()) {
        return copy.system_error();
    }
    std::string found;
    const Result<void> listed = for_each_entry(copy.value().get(), [&](const dirent64& entry) {
        if (entry.d_type == DT_DIR) {
            found = entry.d_name;
        }
        return found.empty();
    });
    return listed.ok() ? Result<std::string>(std::move(found)) : listed.system_error();
}

// Processes directly in the group. 0 stands for one that our pid namespace does not see; it is left out.
std::vector<pid_t> processes_in(int group) {
    std::vector<pid_t> pids;
    const Result<std::string> list = read_file(group, "cgroup.procs", kPidListLimit);
    if (list.ok()) {
        for (const std::string_view line : split_any(list.value(), "\n")) {
            const std::optional<uint64_t> pid = parse_unsigned(line);
            if (pid && *pid != 0) {
                pids.push_back(static_cast<pid_t>(*pid));
            }
        }
    }
    return pids;
}

// The way without cgroup.kill. The list is read again once the pidfds are held, so that no reused pid is hit.
void kill_one_by_one(int group, int64_t deadline) {
    std::vector<std::pair<pid_t, UniqueFd>> held;
    for (const pid_t pid : processes_in(group)) {
        UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (pidfd.valid()) {
            held.emplace_back(pid, std::move(pidfd));
        }
    }
    const std::vector<pid_t> still = processes_in(group);
    for (const auto& [pid, pidfd] : held) {
        if (std::find(still.begin(), still.end(), pid) != still.end() &&
            ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) == 0) {
            pollfd ended{pidfd.get(), POLLIN, 0};
            ::poll(&ended, 1, remaining_ms(deadline));
        }
    }
}

// Version 2 only: waits until no process is left in the group or below it.
Result<void> wait_until_unpopulated(int group, int64_t deadline) {
    Result<UniqueFd> events = open_at(group, "cgroup.events", O_RDONLY);
    if (!events.ok()) {
        return events.system_error();
    }
    for (;;) {
        std::array<char, kEventsLimit> text{};
        const ssize_t size = ::pread(events.value().get(), text.data(), text.size(), 0);
        if (size < 0) {
            return last_error("read");
        }
        if (std::string_view(text.data(), static_cast<size_t>(size)).find("populated 0") != std::string_view::npos) {
            return {};
        }
        if (remaining_ms(deadline) == 0) {
            return SystemError{ETIMEDOUT, "poll"};
        }
        pollfd changed{events.value().get(), POLLPRI, 0};
        ::poll(&changed, 1, remaining_ms(deadline));
    }
}

// Removes `name` below `at`, which is open as `group` and has no groups below it.
Result<void> remove_leaf(int at, const char* name, int group, Survivors survivors, int64_t deadline) {
    Result<void> removed = remove_directory(at, name);
    while (removed.error() == EBUSY && survivors == Survivors::kill && remaining_ms(deadline) > 0) {
        kill_one_by_one(group, deadline);
        removed = remove_directory(at, name);
    }
    return removed;
}

// Children first. The payload may have nested its groups without limit, so this neither recurses nor holds a
// descriptor for each level: the way up is "..".
Result<void> remove_below(int top, Survivors survivors, int64_t deadline) {
    std::vector<std::string> names; // from `top` down to `current`
    Result<UniqueFd> current = open_directory(top, ".");
    for (;;) {
        if (!current.ok()) {
            return current.system_error();
        }
        Result<std::string> child = first_child(current.value().get());
        if (!child.ok()) {
            return child.system_error();
        }
        if (!child.value().empty()) {
            current = open_directory(current.value().get(), child.value().c_str());
            names.push_back(std::move(child).value());
            continue;
        }
        if (names.empty()) {
            return {};
        }
        Result<UniqueFd> parent = open_directory(current.value().get(), "..");
        if (!parent.ok()) {
            return parent.system_error();
        }
        const Result<void> removed =
            remove_leaf(parent.value().get(), names.back().c_str(), current.value().get(), survivors, deadline);
        if (!removed.ok()) {
            return removed;
        }
        names.pop_back();
        current = std::move(parent);
    }
}

// Ends every process in the group and below it. Without cgroup.kill the groups below are removed on the way.
Result<void> empty_group(int group, int64_t deadline) {
    if (write_existing(group, "cgroup.kill", "1").ok()) {
        return wait_until_unpopulated(group, deadline);
    }
    const Result<void> cleared = remove_below(group, Survivors::kill, deadline);
    if (!cleared.ok()) {
        return cleared;
    }
    while (!processes_in(group).empty()) {
        if (remaining_ms(deadline) == 0) {
            return SystemError{ETIMEDOUT, "kill"};
        }
        kill_one_by_one(group, deadline);
    }
    return {};
}

Result<void> remove_tree(int unit, const char* name, int top, Survivors survivors) {
    const int64_t deadline = now_ms() + kPatienceMs;
    if (survivors == Survivors::kill) {
        const Result<void> emptied = empty_group(top, deadline);
        if (!emptied.ok()) {
            return emptied;
        }
    }
    const Result<void> cleared = remove_below(top, survivors, deadline);
    return cleared.ok() ? remove_leaf(unit, name, top, survivors, deadline) : cleared;
}

// Version 2 knows for the whole tree; on version 1 the removal itself finds out.
bool is_populated(int group) {
    const Result<std::string> events = read_file(group, "cgroup.events", kEventsLimit);
    return events.ok() && events.value().find("populated 1") != std::string::npos;
}

// Nobody holds its lock, but another program's group may have the same name: only an empty one is ours to remove.
Result<void> remove_stale(const std::string& path, int top) {
    const SystemError in_use{EEXIST, "mkdir"};
    if (is_populated(top)) {
        return in_use;
    }
    const Result<void> removed = remove_tree(AT_FDCWD, path.c_str(), top, Survivors::keep);
    return removed.error() == EBUSY ? Result<void>(in_use) : removed;
}

bool is_our_name(std::string_view name) {
    return name.starts_with(kPayload) || (name.starts_with("machine-") && name.ends_with(".scope"));
}

// A new directory that we hold the lock of. Somebody may find it before it is locked and clear it away as a stale one;
// then it is made again.
Result<UniqueFd> make_locked(const std::string& path) {
    for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
        const bool made = ::mkdir(path.c_str(), 0755) == 0;
        if (!made && errno != EEXIST) {
            return last_error("mkdir");
        }
        const auto give_up = [&](SystemError reason) {
            const Result<void> undone = made ? remove_directory(AT_FDCWD, path.c_str()) : Result<void>();
            return undone.ok() ? reason : undone.system_error();
        };
        Result<UniqueFd> top = open_directory(AT_FDCWD, path.c_str());
        if (top.error() == ENOENT) {
            continue;
        }
        if (!top.ok()) {
            return give_up(top.system_error());
        }
        if (!lock(top.value().get())) {
            return SystemError{EEXIST, "mkdir"};
        }
        if (!is_alive(top.value().get())) {
            if (!is_cgroup(top.value().get())) {
                return give_up({ENOTSUP, "mkdir"});
            }
            continue;
        }
        if (made) {
            return top;
        }
        const Result<void> removed = remove_stale(path, top.value().get());
        if (!removed.ok()) {
            return removed.system_error();
        }
    }
    return SystemError{EEXIST, "mkdir"};
}

} // namespace

Result<CgroupBranch> CgroupBranch::create(const std::string& unit, const std::string& name) {
    CgroupBranch branch;
    branch.path_ = join(unit, name);
    Result<UniqueFd> top = make_locked(branch.path_);
    if (!top.ok()) {
        return top.system_error();
    }
    branch.top_ = std::move(top).value();
    return branch;
}

Result<UniqueFd> CgroupBranch::open_unit() const { return open_directory(top(), ".."); }

Result<void> CgroupBranch::nest() {
    if (payload_.valid()) {
        return {};
    }
    if (::mkdirat(top(), kPayload, 0755) < 0) {
        return last_error("mkdir");
    }
    Result<UniqueFd> payload = open_directory(top(), kPayload);
    if (!payload.ok()) {
        return payload.system_error();
    }
    payload_ = std::move(payload).value();
    return {};
}

CgroupBranch::~CgroupBranch() {
    (void)remove(); // who wants to know calls it before
}

Result<void> CgroupBranch::delegate_to(uid_t uid, gid_t gid) const {
    const Result<void> directory = check(::fchown(payload(), uid, gid), "fchown");
    if (!directory.ok()) {
        return directory;
    }
    for (const char* file : kDelegatedFiles) {
        if (::fchownat(payload(), file, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT) {
            return last_error("fchown");
        }
    }
    return {};
}

Result<void> CgroupBranch::kill_all() const { return empty_group(top(), now_ms() + kPatienceMs); }

Result<void> CgroupBranch::remove() {
    if (!top_.valid() || path_.empty()) {
        return {};
    }
    // As a rule nothing is left in it: two calls do.
    Result<void> removed = payload_.valid() ? remove_directory(top(), kPayload) : Result<void>();
    if (removed.ok()) {
        removed = remove_directory(AT_FDCWD, path_.c_str());
    }
    if (removed.error() == EBUSY) {
        removed = remove_tree(AT_FDCWD, path_.c_str(), top(), Survivors::kill);
    }
    path_.clear();
    return removed;
}

namespace {

// Which of its processes may be killed is the caller's to know.
Result<void> remove_leftover(const std::string& path, Survivors survivors) {
    const std::string name(base_name(path));
    if (!is_our_name(name)) {
        return SystemError{ENOTSUP, "rmdir"};
    }
    Result<UniqueFd> unit = open_directory(AT_FDCWD, parent_of(path).c_str());
    if (!unit.ok()) {
        return unit.error() == ENOENT ? Result<void>() : Result<void>(unit.system_error());
    }
    Result<UniqueFd> top = open_directory(unit.value().get(), name.c_str());
    if (!top.ok()) {
        return top.error() == ENOENT ? Result<void>() : Result<void>(top.system_error());
    }
    // With a group above it, it cannot be the root of a hierarchy.
    if (!is_cgroup(unit.value().get()) || !is_cgroup(top.value().get())) {
        return SystemError{ENOTSUP, "rmdir"};
    }
    if (!lock(top.value().get())) {
        return SystemError{EAGAIN, "flock"};
    }
    if (!is_alive(top.value().get())) {
        return {};
    }
    if (survivors == Survivors::keep && is_populated(top.value().get())) {
        return SystemError{ENOTSUP, "rmdir"};
    }
    return remove_tree(unit.value().get(), name.c_str(), top.value().get(), survivors);
}

} // namespace

Result<void> remove_leftover_cgroup(const std::string& path) { return remove_leftover(path, Survivors::kill); }

Result<void> remove_empty_leftover_cgroup(const std::string& path) { return remove_leftover(path, Survivors::keep); }

} // namespace nspawn
