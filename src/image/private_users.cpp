#include "image/private_users.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <cerrno>

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace nspawn {

namespace {

// With CONFIG_USER_NS only.
bool kernel_has_user_namespaces() { return access("/proc/self/ns/user", F_OK) == 0; }

struct Owner {
    uint32_t user = 0;
    uint32_t group = 0;
};

Owner owner_of(const PrivateUsers::Request& request) {
    struct stat status {};
    check(fstat(request.tree, &status), "fstat").or_throw(request.path);
    return {status.st_uid, status.st_gid};
}

// The range that the tree belongs to as a whole.
uint32_t base_of_tree(const PrivateUsers::Request& request, const Owner& owner) {
    if (base_of_id(owner.user) != base_of_id(owner.group)) {
        throw Error(fmt::format("user {} and group {} of {} are not of the same range of 65536 ids", owner.user,
                                owner.group, request.path),
                    "Give the directory and its files to one range, or name the range with --private-users=BASE.");
    }
    return base_of_id(owner.user);
}

IdMap map_of_base(uint32_t base, const std::string& path) {
    IdMap map = shifted_id_map(base);
    if (const std::string problem = find_id_range_problem(map.users); !problem.empty()) {
        throw Error(fmt::format("{} belongs to no range for a container: {}", path, problem));
    }
    return map;
}

void require_own_ids(const IdMap& map) {
    const OwnIds own = OwnIds::read().or_throw("reading our own id map");
    for (const IdRange& range : map.users) {
        if (!own.are_all() && !own.contain(range.outside, range.count)) {
            throw Error(fmt::format("ids {} to {} do not exist here: this is a container, or another user namespace, "
                                    "that has fewer",
                                    range.outside, uint64_t{range.outside} + range.count - 1),
                        "Name ids that /proc/self/uid_map has, with --private-users=BASE:COUNT.")
                .with_code(EPERM);
        }
    }
}

// File systems that have had id-mapped mounts as long as the kernel has them, need no trial.
bool is_known_to_map(int tree) {
    struct statfs system {};
    return fstatfs(tree, &system) == 0 && (system.f_type == EXT4_SUPER_MAGIC ||
                                           system.f_type == static_cast<decltype(system.f_type)>(XFS_SUPER_MAGIC));
}

Result<MountFd> try_mapped_mount(int tree, const IdMap& map) {
    const Result<UniqueFd> users = make_user_namespace(map);
    if (!users.ok()) {
        return users.system_error();
    }
    Result<MountFd> mount = MountFd::clone_of(tree, "", Recursive::no);
    if (mount.ok()) {
        const Result<void> mapped = mount.value().set_id_map(users.value().get(), Recursive::no);
        if (!mapped.ok()) {
            return mapped.system_error();
        }
    }
    return mount;
}

bool can_map(int tree, const IdMap& map) {
    const Result<OwnIds> own = OwnIds::read();
    if (own.ok() && own.value().are_all() && is_known_to_map(tree)) {
        return true;
    }
    return try_mapped_mount(tree, map).ok();
}

void require_whole_range(const IdMap& map) {
    const bool whole = map.users.size() == 1 && map.users.front().inside == 0 &&
                       map.users.front().count == kIdsPerContainer &&
                       base_of_id(map.users.front().outside) == map.users.front().outside;
    if (!whole) {
        throw Error("--private-users-ownership=chown needs one range of 65536 ids that starts at a multiple of 65536",
                    "Use --private-users-ownership=map, which works with every range.");
    }
}

TreeOwnership automatic_ownership(const PrivateUsers::Request& request, const Owner& owner, const IdMap& map) {
    if (owner.user == id_outside(map.users, 0) && owner.group == id_outside(map.groups, 0)) {
        return TreeOwnership::off; // it is theirs
    }
    if (base_of_tree(request, owner) == 0 && can_map(request.tree, map)) {
        return TreeOwnership::map;
    }
    if (request.read_only) {
        throw Error(fmt::format("{} belongs to other users than the container's, cannot be id-mapped, and may not be "
                                "changed either",
                                request.path),
                    "Run it once without --read-only or --volatile=, so that its files change their owners.");
    }
    return TreeOwnership::chown;
}

TreeOwnership settle_ownership(const PrivateUsers::Request& request, const Owner& owner, const IdMap& map) {
    const Config& config = request.config;
    TreeOwnership ownership = config.tree_ownership;
    if (ownership == TreeOwnership::automatic) {
        ownership = automatic_ownership(request, owner, map);
    } else if (ownership == TreeOwnership::map && config.users.mode != UserMode::map &&
               base_of_tree(request, owner) != 0) {
        throw Error(fmt::format("{} belongs to the ids from {} on and cannot be mapped to others", request.path,
                                base_of_id(owner.user)),
                    "Use --private-users-ownership=off, or give it back to ordinary ids with --private-users=0 "
                    "--private-users-ownership=chown.");
    } else if (ownership == TreeOwnership::chown && request.read_only) {
        throw Error(fmt::format("the files of {} cannot be given to the container's users, since the image is marked "
                                "read-only",
                                request.path),
                    "Use --private-users-ownership=map.");
    }
    if (ownership == TreeOwnership::chown) {
        require_whole_range(map);
    }
    return ownership;
}

} // namespace

Error explain_id_map(Error error) {
    if (error.code() == ENOSPC || error.code() == EUSERS) {
        error.with_hint(kNoUserNamespaceHint);
    } else if (error.code() == EINVAL || error.code() == EPERM || error.code() == EOPNOTSUPP) {
        error.with_hint("The file system of the tree, or one that is mounted below it, has no id-mapped mounts (here). "
                        "Use --private-users-ownership=chown.");
    }
    return error;
}

PrivateUsers PrivateUsers::settle(const Request& request) {
    PrivateUsers users;
    const UserChoice& choice = request.config.users;
    if (choice.mode == UserMode::host) {
        return users;
    }
    if (!kernel_has_user_namespaces()) {
        if (request.config.users_if_possible) {
            return users;
        }
        throw Error("this kernel has no user namespaces", "Private users need a kernel built with CONFIG_USER_NS.");
    }
    const Owner owner = owner_of(request);
    switch (choice.mode) {
    case UserMode::host:
        break;
    case UserMode::map:
        users.map_ = {choice.map, choice.map};
        break;
    case UserMode::tree:
        users.map_ = map_of_base(base_of_tree(request, owner), request.path);
        break;
    case UserMode::pick:
        users.range_ = UidRange::pick(request.machine, owner.user);
        users.map_ = shifted_id_map(users.range_.base());
        break;
    }
    require_own_ids(users.map_);
    users.ownership_ = settle_ownership(request, owner, users.map_);
    return users;
}

uint32_t PrivateUsers::root() const { return id_outside(map_.users, 0).value_or(0); }

MountFd PrivateUsers::mapped_mount(int tree) const {
    try {
        return try_mapped_mount(tree, map_).or_throw("an id-mapped mount of the tree");
    } catch (Error& error) {
        throw explain_id_map(std::move(error));
    }
}

} // namespace nspawn
