#include "run/mount_point.hpp"

#include "base/file.hpp"
#include "base/path.hpp"
#include "base/text.hpp"

#include <array>
#include <climits>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

// One for each link or missing component on the way, and some for those that others put there meanwhile.
constexpr int kMaxSteps = 256;

Result<UniqueFd> check_kind(UniqueFd found, MountPointKind kind) {
    struct stat status {};
    if (fstat(found.get(), &status) < 0) {
        return last_error("fstat");
    }
    if (S_ISDIR(status.st_mode) != (kind == MountPointKind::directory)) {
        return SystemError{S_ISDIR(status.st_mode) ? EISDIR : ENOTDIR, "open"};
    }
    return found;
}

// The part of a path up to a component, and the rest behind it.
struct Split {
    UniqueFd parent;
    std::string parent_path;
    std::string name;
    std::string rest; // empty: `name` is the last component
};

// At the first component that does not lead anywhere.
Result<Split> split_at_missing(int root, const std::string& path) {
    Result<UniqueFd> parent = open_in_root(root, "/", O_PATH | O_DIRECTORY);
    std::string parent_path = "/";
    std::string_view rest = path;
    while (parent.ok()) {
        rest.remove_prefix(std::min(rest.find_first_not_of('/'), rest.size()));
        const std::string name(take_until(rest, '/'));
        const std::string next = join(parent_path, name);
        Result<UniqueFd> child = open_in_root(root, next.c_str(), O_PATH);
        if (child.error() == ENOENT) {
            return Split{std::move(parent).value(), parent_path, name, std::string(rest)};
        }
        parent_path = next;
        parent = std::move(child);
        if (rest.empty()) {
            return SystemError{EEXIST, "openat2"}; // it is there by now
        }
    }
    return parent.system_error();
}

Result<void> make_missing(const Split& at, MountPointKind kind) {
    if (!at.rest.empty() || kind == MountPointKind::directory) {
        const int made = mkdirat(at.parent.get(), at.name.c_str(), 0755);
        return made == 0 || errno == EEXIST ? Result<void>() : last_error("mkdirat");
    }
    const Result<UniqueFd> file =
        open_at(at.parent.get(), at.name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0644);
    return file.ok() || file.error() == EEXIST ? Result<void>() : file.system_error();
}

// The target of a dangling link; empty when there is none.
Result<std::string> read_link(const Split& at) {
    std::array<char, PATH_MAX> target; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlinkat
    const ssize_t size = readlinkat(at.parent.get(), at.name.c_str(), target.data(), target.size());
    if (size < 0) {
        return errno == ENOENT || errno == EINVAL ? Result<std::string>(std::string()) : last_error("readlinkat");
    }
    return std::string(target.data(), static_cast<size_t>(size));
}

} // namespace

Result<UniqueFd> open_mount_point(int root, const std::string& path, MountPointKind kind) {
    std::string way = path;
    for (int step = 0; step < kMaxSteps; ++step) {
        Result<UniqueFd> found = open_in_root(root, way.c_str(), O_PATH);
        if (found.ok()) {
            return check_kind(std::move(found).value(), kind);
        }
        if (found.error() != ENOENT) {
            return found;
        }
        const Result<Split> missing = split_at_missing(root, way);
        if (missing.error() == EEXIST) {
            continue;
        }
        if (!missing.ok()) {
            return missing.system_error();
        }
        const Split& at = missing.value();
        const Result<std::string> target = read_link(at);
        if (!target.ok()) {
            return target.system_error();
        }
        if (target.value().empty()) {
            if (const Result<void> made = make_missing(at, kind); !made.ok()) {
                return made.system_error();
            }
            continue;
        }
        // As the kernel would: from the link's own directory, or for an absolute one from the root.
        way = is_absolute(target.value()) ? target.value() : join(at.parent_path, target.value());
        if (!at.rest.empty()) {
            way = join(way, at.rest);
        }
        if (way.size() >= PATH_MAX) {
            return SystemError{ENAMETOOLONG, "openat2"};
        }
    }
    return SystemError{ELOOP, "openat2"};
}

} // namespace nspawn
