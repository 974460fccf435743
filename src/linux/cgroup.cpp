#include "linux/cgroup.hpp"

#include "base/file.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "linux/kernel_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr size_t kControllersLimit = 4096;
constexpr size_t kCpuListLimit = size_t{64} << 10;
constexpr size_t kScopeNameLimit = 200; // leaves room for a process id below NAME_MAX
constexpr const char* kSupervisor = "supervisor";

std::vector<std::string> words_of(int group, const char* file) {
    std::vector<std::string> words;
    const Result<std::string> text = read_kernel_file(group, file, kControllersLimit);
    if (text.ok()) {
        for (const std::string_view word : split_any(text.value(), " \n")) {
            words.emplace_back(word);
        }
    }
    return words;
}

enum class Fresh { no, yes };

// "+cpu +memory" for what the group has but does not yet give to those below it; empty when there is nothing. A fresh
// group gives nothing.
std::string controllers_to_enable(int group, Fresh fresh) {
    const std::vector<std::string> available = words_of(group, "cgroup.controllers");
    std::vector<std::string> enabled;
    if (fresh == Fresh::no && !available.empty()) {
        enabled = words_of(group, "cgroup.subtree_control");
    }
    std::string request;
    for (const std::string& controller : available) {
        if (std::find(enabled.begin(), enabled.end(), controller) == enabled.end()) {
            request += fmt::format("{}+{}", request.empty() ? "" : " ", controller);
        }
    }
    return request;
}

Result<void> write_subtree_control(int group, const std::string& request) {
    return write_existing(group, "cgroup.subtree_control", request);
}

// A new cpuset of version 1 has no CPU and no memory node, and takes no process until it has.
Result<void> copy_cpuset(int from, int to) {
    for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
        const Result<std::string> value = read_file(from, file, kCpuListLimit);
        const Result<void> written =
            value.ok() ? write_existing(to, file, value.value()) : Result<void>(value.system_error());
        if (!written.ok()) {
            return written;
        }
    }
    return {};
}

bool has_cpuset(std::string_view controllers) {
    const std::vector<std::string_view> names = split(controllers, ',');
    return std::find(names.begin(), names.end(), "cpuset") != names.end();
}

std::string explain(const std::string& unit, SystemError error) {
    return fmt::format("no control group of its own can be made below {}: {}: {}", unit, error.call,
                       error_text(error.code));
}

} // namespace

std::string scope_name(std::string_view machine) {
    std::string name = "machine-";
    for (const char c : machine) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                           c == ':' || (c == '.' && name.size() > sizeof "machine-" - 1);
        if (plain) {
            name += c;
        } else {
            name += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    // A name of 64 characters may grow to four times as many; two that are cut alike tell themselves apart as any two
    // machines of one name do.
    name.resize(std::min(name.size(), kScopeNameLimit));
    return name + ".scope";
}

Cgroup::Cgroup(const CgroupHierarchies& hierarchies, const CgroupRequest& request)
    : hierarchies_(hierarchies), name_(request.keep_unit ? "payload" : scope_name(request.machine)),
      nested_(!request.keep_unit) {}

Cgroup::~Cgroup() {
    if (supervisor_.valid()) {
        version2_.reset(); // the way back is free only when nothing is left below the unit
        step_back();
    }
}

Cgroup::Outcome Cgroup::create(const CgroupHierarchies& hierarchies, const CgroupRequest& request,
                               BeforeMaking before_making) {
    Outcome outcome;
    Cgroup group(hierarchies, request);
    outcome.missing = "no control group hierarchy is mounted";
    if (hierarchies.version2) {
        const Result<void> added = group.add_version2(*hierarchies.version2, before_making);
        if (!added.ok()) {
            outcome.missing = explain(hierarchies.version2->unit, added.system_error());
        }
    }
    for (const CgroupHierarchy& hierarchy : hierarchies.version1) {
        const bool wanted = request.with_named_systemd && hierarchy.controllers == "name=systemd";
        if (group.version2_ && !wanted) {
            continue;
        }
        const Result<void> added = group.add_version1(hierarchy, before_making);
        if (!added.ok()) {
            outcome.missing = explain(hierarchy.unit, added.system_error());
        }
    }
    if (group.version2_ || !group.version1_.empty()) {
        outcome.missing.clear();
        outcome.cgroup.emplace(std::move(group));
    }
    return outcome;
}

Result<CgroupBranch> Cgroup::make_branch(const std::string& unit, BeforeMaking before_making) const {
    const auto make = [&](const std::string& name) {
        if (before_making) {
            before_making(join(unit, name));
        }
        return CgroupBranch::create(unit, name);
    };
    Result<CgroupBranch> branch = make(name_);
    if (branch.error() != EEXIST) {
        return branch;
    }
    const std::string_view stem(name_.data(), nested_ ? name_.size() - (sizeof ".scope" - 1) : name_.size());
    return make(fmt::format("{}-{}{}", stem, ::getpid(), nested_ ? ".scope" : ""));
}

Result<void> Cgroup::add_version2(const CgroupHierarchy& hierarchy, BeforeMaking before_making) {
    Result<CgroupBranch> branch = make_branch(hierarchy.unit, before_making);
    if (!branch.ok()) {
        return branch.system_error();
    }
    const Result<void> nested = nested_ ? branch.value().nest() : Result<void>();
    if (nested.ok()) {
        version2_.emplace(std::move(branch).value());
        enable_controllers();
    }
    return nested;
}

Result<void> Cgroup::add_version1(const CgroupHierarchy& hierarchy, BeforeMaking before_making) {
    Result<CgroupBranch> branch = make_branch(hierarchy.unit, before_making);
    if (!branch.ok()) {
        return branch.system_error();
    }
    Result<void> ready;
    if (has_cpuset(hierarchy.controllers)) {
        const Result<UniqueFd> unit = branch.value().open_unit();
        ready = unit.ok() ? copy_cpuset(unit.value().get(), branch.value().top()) : Result<void>(unit.system_error());
    }
    if (ready.ok()) {
        version1_.push_back({hierarchy.controllers, std::move(branch).value()});
    }
    return ready;
}

// Late, because the devices controller cannot be closed any more once there is a group below.
Result<void> Cgroup::nest_version1() {
    for (Version1& group : version1_) {
        Result<void> nested = nested_ ? group.branch.nest() : Result<void>();
        if (nested.ok() && nested_ && has_cpuset(group.controllers)) {
            nested = copy_cpuset(group.branch.top(), group.branch.payload());
        }
        if (!nested.ok()) {
            return nested;
        }
    }
    return {};
}

// Best effort, as everybody's above us: what is not enabled there is not available here.
void Cgroup::enable_controllers() {
    const Result<UniqueFd> unit = nested_ ? Result<UniqueFd>(UniqueFd()) : version2_->open_unit();
    if (!unit.ok()) {
        return;
    }
    const int group = nested_ ? version2_->top() : unit.value().get();
    const std::string request = controllers_to_enable(group, nested_ ? Fresh::yes : Fresh::no);
    if (request.empty() || write_subtree_control(group, request).error() != EBUSY || nested_) {
        return;
    }
    // A group that holds processes cannot share out controllers, and the kept unit holds us.
    if (step_aside(group).ok()) {
        enabled_aside_ = request;
        if (!write_subtree_control(group, request).ok()) {
            enabled_aside_.clear(); // it holds others too
            step_back();
        }
    }
}

Result<void> Cgroup::step_aside(int unit) {
    if (::mkdirat(unit, kSupervisor, 0755) < 0 && errno != EEXIST) {
        return last_error("mkdir");
    }
    Result<UniqueFd> supervisor = open_at(unit, kSupervisor, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!supervisor.ok()) {
        return supervisor.system_error();
    }
    Result<void> moved = write_existing(supervisor.value().get(), "cgroup.procs", "0");
    if (moved.ok()) {
        supervisor_ = std::move(supervisor).value();
    } else {
        ::unlinkat(unit, kSupervisor, AT_REMOVEDIR);
    }
    return moved;
}

void Cgroup::step_back() {
    // Opened through our own descriptor: the branch that knew the unit is gone by now.
    const Result<UniqueFd> unit = open_at(supervisor_.get(), "..", O_RDONLY | O_DIRECTORY);
    supervisor_.reset();
    if (!unit.ok()) {
        return;
    }
    std::replace(enabled_aside_.begin(), enabled_aside_.end(), '+', '-');
    if (!enabled_aside_.empty()) {
        (void)write_subtree_control(unit.value().get(), enabled_aside_); // fails while another container needs them
    }
    if (write_existing(unit.value().get(), "cgroup.procs", "0").ok()) {
        ::unlinkat(unit.value().get(), kSupervisor, AT_REMOVEDIR);
    }
}

int Cgroup::descriptor() const { return version2_ ? version2_->payload() : -1; }

int Cgroup::policy_descriptor() const { return version2_ ? version2_->top() : -1; }

Result<void> Cgroup::add_process(pid_t pid) {
    Result<void> added = nest_version1();
    for (size_t i = 0; added.ok() && i < version1_.size(); ++i) {
        added = write_existing(version1_[i].branch.payload(), "cgroup.procs", fmt::format("{}", pid));
    }
    return added;
}

Result<int> Cgroup::version1_group(std::string_view controller, BeforeMaking before_making) {
    const CgroupHierarchy* hierarchy = hierarchies_.find_version1(controller);
    if (hierarchy == nullptr) {
        return SystemError{ENOENT, "find"};
    }
    const auto same = [&](const Version1& group) { return group.controllers == hierarchy->controllers; };
    auto found = std::find_if(version1_.begin(), version1_.end(), same);
    if (found == version1_.end()) {
        const Result<void> added = add_version1(*hierarchy, before_making);
        if (!added.ok()) {
            return added.system_error();
        }
        found = version1_.end() - 1;
    }
    return found->branch.top();
}

Result<void> Cgroup::delegate_to(uid_t uid, gid_t gid) {
    Result<void> given = version2_ ? version2_->delegate_to(uid, gid) : Result<void>();
    if (given.ok()) {
        given = nest_version1();
    }
    // A version 1 controller is not safe to hand over; the named hierarchy, which controls nothing, is.
    for (size_t i = 0; given.ok() && i < version1_.size(); ++i) {
        if (version1_[i].controllers == "name=systemd") {
            given = version1_[i].branch.delegate_to(uid, gid);
        }
    }
    return given;
}

Result<void> Cgroup::kill_all() const {
    if (version2_) {
        return version2_->kill_all();
    }
    return version1_.empty() ? Result<void>() : version1_.front().branch.kill_all();
}

Result<void> Cgroup::remove() {
    Result<void> result = version2_ ? version2_->remove() : Result<void>();
    for (Version1& group : version1_) {
        const Result<void> removed = group.branch.remove();
        if (result.ok()) {
            result = removed;
        }
    }
    if (supervisor_.valid()) {
        step_back();
    }
    return result;
}

std::vector<std::string> Cgroup::paths() const {
    std::vector<std::string> paths;
    if (version2_) {
        paths.push_back(version2_->path());
    }
    for (const Version1& group : version1_) {
        paths.push_back(group.branch.path());
    }
    return paths;
}

} // namespace nspawn
