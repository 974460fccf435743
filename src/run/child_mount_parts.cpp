// A small file system made of parts of a big one: the child's MountParts operation.

#include "run/child_state.hpp"

#include <fmt/format.h>

#include <sys/mount.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

void mount_on(const MountParts& what, const char* type, std::span<const MountOption> options, uint64_t attributes) {
    mount_file_system(type, what.target.c_str(), options, attributes)
        .or_throw(fmt::format("{} on {}", type, what.target));
}

// From where the whole can be reached by a path, since only newer kernels (6.15) copy from a detached mount.
std::vector<MountFd> copy_parts(const ChildState& state, const MountParts& what) {
    if (const MountFd* const prepared = find_prepared(state, what.type)) {
        prepared->attach(AT_FDCWD, what.target.c_str()).or_throw(what.target);
    } else {
        mount_on(what, what.type.c_str(), {}, what.attributes);
    }
    std::vector<MountFd> copies;
    for (const std::string& part : what.parts) {
        const std::string path = fmt::format("{}/{}", what.target, part);
        copies.push_back(MountFd::clone_of(AT_FDCWD, path.c_str(), Recursive::no).or_throw(path));
    }
    check(umount2(what.target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW), "umount2").or_throw(what.target);
    return copies;
}

std::string make_directory(const MountParts& what, const std::string& name) {
    std::string path = fmt::format("{}/{}", what.target, name);
    check(mkdir(path.c_str(), 0755), "mkdir").or_throw(path);
    return path;
}

} // namespace

void mount_parts(const ChildState& state, const MountParts& what) {
    explain_mount_target(what.target, ENOTDIR); // before mount(2) would follow a link
    const std::vector<MountFd> copies = copy_parts(state, what);
    mount_on(what, "tmpfs", what.options, 0);
    for (const std::string& directory : what.directories) {
        make_directory(what, directory);
    }
    for (size_t i = 0; i < copies.size(); ++i) {
        const std::string path = make_directory(what, what.parts[i]);
        copies[i].attach(AT_FDCWD, path.c_str()).or_throw(path);
    }
    set_mount_attributes(AT_FDCWD, what.target.c_str(), what.attributes, 0, Propagation::unchanged, Recursive::no)
        .or_throw(what.target);
}

} // namespace nspawn
