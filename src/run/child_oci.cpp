// Stages of the child that only containers from OCI bundles have: namespaces that are joined, hooks in the container's
// namespaces, kernel parameters, masked and read-only paths.

#include "base/file.hpp"
#include "plan/mount_table.hpp"
#include "run/child_state.hpp"
#include "run/joined_namespace.hpp"
#include "run/oci_hooks.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace nspawn {

namespace {

const OciRuntime* bundle_of(const ChildState& state) { return state.plan.oci.get(); }

// In the container's own numbering, as the specification wants it for hooks that run there.
OciState own_state(const ChildState& state, const char* status) {
    return {.bundle = *bundle_of(state), .machine = state.plan.machine, .status = status, .pid = getpid()};
}

} // namespace

bool waits_for_hooks(const Plan& plan) {
    return plan.oci && !(plan.oci->hooks.prestart.empty() && plan.oci->hooks.create_runtime.empty());
}

// Before anything that such a namespace shows is mounted; the helper's child is born into them.
void join_bundle_namespaces(ChildState& state) {
    if (bundle_of(state) == nullptr) {
        return;
    }
    for (const OciNamespace& space : bundle_of(state)->joined_namespaces) {
        const bool born_there = space.type == CLONE_NEWPID && !has_private_users(state.plan);
        if (!born_there) {
            join_namespace(space);
        }
    }
}

// The host's tree can still be seen, the container's namespaces are there.
void run_create_hooks(ChildState& state) {
    if (bundle_of(state) == nullptr) {
        return;
    }
    if (waits_for_hooks(state.plan) && hear_supervisor(state).kind != MessageKind::hooks_done) {
        throw Error("the supervisor answers out of turn");
    }
    run_hooks(bundle_of(state)->hooks.create_container, own_state(state, "creating"));
}

void set_kernel_parameters(ChildState& state) {
    if (bundle_of(state) == nullptr) {
        return;
    }
    for (const auto& [name, value] : bundle_of(state)->sysctl) {
        write_proc_file(("/proc/sys/" + name).c_str(), value).or_throw("config.json: linux.sysctl: " + name);
    }
    const std::string& domain = bundle_of(state)->domain_name;
    if (!domain.empty()) {
        check(setdomainname(domain.data(), domain.size()), "setdomainname").or_throw("config.json: domainname");
    }
}

namespace {

void expect_read_only(int mount, const std::string& path) {
    struct statvfs status {};
    check(fstatvfs(mount, &status), "fstatvfs").or_throw(path);
    if ((status.f_flag & ST_RDONLY) == 0) {
        throw Error(fmt::format("{} is not protected, although config.json says so", path));
    }
}

// What is there is covered by `mount`, and can be seen to be read-only afterwards: fail closed.
void cover(const std::string& path, int target, const MountFd& mount) {
    mount.attach_onto(target).or_throw(path);
    const UniqueFd seen = open_in_root(AT_FDCWD, path.c_str(), O_PATH).or_throw(path);
    expect_read_only(seen.get(), path);
}

void seal_mount(const std::string& path) {
    set_mount_attributes(AT_FDCWD, path.c_str(), MOUNT_ATTR_RDONLY, 0, Propagation::unchanged, Recursive::no)
        .or_throw(path);
    const UniqueFd mount = open_in_root(AT_FDCWD, path.c_str(), O_PATH).or_throw(path);
    expect_read_only(mount.get(), path);
}

// No value: there is nothing of that name to protect.
std::optional<UniqueFd> find_path(const std::string& path) {
    Result<UniqueFd> found = open_in_root(AT_FDCWD, path.c_str(), O_PATH);
    if (found.error() == ENOENT || found.error() == ENOTDIR) {
        return std::nullopt;
    }
    return std::move(found).or_throw(path);
}

void mask_path(const std::string& path, int nodes) {
    const std::optional<UniqueFd> target = find_path(path);
    if (!target) {
        return;
    }
    struct stat status {};
    check(fstat(target->get(), &status), "fstat").or_throw(path);
    const char* const node = S_ISDIR(status.st_mode) ? "dir" : "reg";
    constexpr uint64_t kSealed = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    const MountFd mask = MountFd::clone_with(nodes, node, Recursive::no, {kSealed}).or_throw(path);
    cover(path, target->get(), mask);
}

void protect_path(const std::string& path) {
    const std::optional<UniqueFd> target = find_path(path);
    if (!target) {
        return;
    }
    const MountFd copy = MountFd::clone_with(target->get(), "", Recursive::yes, {MOUNT_ATTR_RDONLY}).or_throw(path);
    cover(path, target->get(), copy);
}

} // namespace

// After every mount: what they show is meant too.
void protect_paths(ChildState& state) {
    if (bundle_of(state) == nullptr) {
        return;
    }
    const UniqueFd nodes = open_at(AT_FDCWD, kInaccessiblePath, O_PATH | O_DIRECTORY).or_throw(kInaccessiblePath);
    for (const std::string& path : bundle_of(state)->read_only_paths) {
        protect_path(path);
    }
    for (const std::string& path : bundle_of(state)->masked_paths) {
        mask_path(path, nodes.get());
    }
    for (const std::string& path : state.plan.sealed_last) {
        seal_mount(path);
    }
}

// In the container's tree, right before the payload. The program is the tree's, and process 1 still holds the line to
// the supervisor: it gets what the payload will have, but not the right to look into other processes, and process 1 has
// more capabilities than it.
void run_start_hooks(ChildState& state) {
    if (bundle_of(state) == nullptr) {
        return;
    }
    const Plan& plan = state.plan;
    run_hooks(bundle_of(state)->hooks.start_container, own_state(state, "created"), [&plan] {
        const CapabilityMask kept = plan.capabilities.bounding & ~capability_bit(CAP_SYS_PTRACE);
        drop_bounding_set_except(kept).or_throw("");
        load_payload_filter(plan);
        set_capabilities({.effective = kept, .permitted = kept, .bounding = kept}).or_throw("");
    });
}

} // namespace nspawn
