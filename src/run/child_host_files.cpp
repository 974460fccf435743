// Stage of the child that brings the host's /etc/resolv.conf and /etc/localtime into the tree. The tree is hostile: its
// /etc is looked up inside the container's root, names in it are never followed, and nothing is opened before it is
// known to be a regular file. What cannot be done is a warning. Whatever is made belongs to the container's root.

#include "base/file.hpp"
#include "base/path.hpp"
#include "run/child_state.hpp"

#include <fmt/format.h>

#include <array>
#include <climits>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kLargestFile = size_t{1} << 20;
constexpr mode_t kMode = 0644;

// One file, by the directory that it is in.
class Place {
public:
    static Result<Place> of(const char* target) {
        Result<UniqueFd> directory = open_in_root(AT_FDCWD, parent_of(target).c_str(), O_PATH | O_DIRECTORY);
        if (!directory.ok()) {
            return directory.system_error();
        }
        return Place(std::move(directory).value(), std::string(base_name(target)));
    }

    // Into the regular file that is there, or a new one; ELOOP for a link, which stays as it is. A file with another
    // name somewhere is exchanged, so that the other one keeps what it has (trees are sometimes copied by hard links).
    [[nodiscard]] Result<void> copy(std::string_view content, const timespec& modified) const {
        const Result<UniqueFd> existing = open_at(directory_.get(), name_.c_str(), O_PATH | O_NOFOLLOW);
        if (existing.error() == ENOENT) {
            return replace(content, modified);
        }
        struct stat status {};
        if (!existing.ok() || fstat(existing.value().get(), &status) < 0) {
            return existing.ok() ? Result<void>(last_error("fstat")) : Result<void>(existing.system_error());
        }
        if (!S_ISREG(status.st_mode)) {
            return SystemError{S_ISLNK(status.st_mode) ? ELOOP : S_ISDIR(status.st_mode) ? EISDIR : EINVAL, "open"};
        }
        if (status.st_nlink > 1) {
            return replace(content, modified);
        }
        const Result<UniqueFd> file = reopen(existing.value().get(), O_WRONLY | O_TRUNC | O_NOCTTY);
        if (!file.ok()) {
            return file.system_error();
        }
        if (status.st_uid != 0 || status.st_gid != 0) {
            (void)fchown(file.value().get(), 0, 0);
        }
        return fill(file.value().get(), content, modified);
    }

    [[nodiscard]] Result<void> replace(std::string_view content, const timespec& modified) const {
        return exchange([&](const char* name) {
            const Result<UniqueFd> file =
                open_at(directory_.get(), name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, kMode);
            return file.ok() ? fill(file.value().get(), content, modified) : Result<void>(file.system_error());
        });
    }

    [[nodiscard]] Result<void> link_to(const std::string& target) const {
        return exchange(
            [&](const char* name) { return check(symlinkat(target.c_str(), directory_.get(), name), "symlinkat"); });
    }

    [[nodiscard]] std::string link() const {
        std::array<char, PATH_MAX> text; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlinkat
        const ssize_t size = readlinkat(directory_.get(), name_.c_str(), text.data(), text.size());
        return size < 0 ? std::string() : std::string(text.data(), static_cast<size_t>(size));
    }

    [[nodiscard]] Result<void> remove() const {
        const Result<void> removed = check(unlinkat(directory_.get(), name_.c_str(), 0), "unlinkat");
        return removed.error() == ENOENT ? Result<void>() : removed;
    }

private:
    Place(UniqueFd directory, std::string name) : directory_(std::move(directory)), name_(std::move(name)) {}

    static Result<void> fill(int file, std::string_view content, const timespec& modified) {
        if (const Result<void> written = write_all(file, content); !written.ok()) {
            return written;
        }
        // By which the next start knows that it is up to date.
        const std::array<timespec, 2> times{modified, modified};
        return check(futimens(file, times.data()), "futimens");
    }

    // The name leads to the old or to the new, never to half of it. What a run that was killed here left is in the way
    // of the next one, which takes it away first.
    template <typename Make>
    [[nodiscard]] Result<void> exchange(Make make) const {
        const std::string temporary = ".#nspawn-" + name_;
        if (unlinkat(directory_.get(), temporary.c_str(), 0) < 0 && errno != ENOENT) {
            return last_error("unlinkat");
        }
        Result<void> done = make(temporary.c_str());
        if (done.ok()) {
            done = check(renameat(directory_.get(), temporary.c_str(), directory_.get(), name_.c_str()), "renameat");
        }
        if (!done.ok()) {
            unlinkat(directory_.get(), temporary.c_str(), 0);
        }
        return done;
    }

    UniqueFd directory_;
    std::string name_;
};

// Links are followed within the container; what is missing at their end is made as an empty file.
Result<void> bind_onto(const char* target, const MountFd& mount) {
    Result<UniqueFd> place = open_in_root(AT_FDCWD, target, O_PATH);
    if (place.error() == ENOENT) {
        place = open_in_root(AT_FDCWD, target, O_CREAT | O_WRONLY | O_NONBLOCK | O_NOCTTY, kMode);
    }
    return place.ok() ? mount.attach_onto(place.value().get()) : Result<void>(place.system_error());
}

Result<void> copy_of_mount(const HostFile& file, const MountFd& mount) {
    struct stat status {};
    const Result<UniqueFd> source = reopen(mount.get(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!source.ok() || fstat(source.value().get(), &status) < 0) {
        return source.ok() ? Result<void>(last_error("fstat")) : Result<void>(source.system_error());
    }
    const Result<std::string> content = read_all(source.value().get(), kLargestFile);
    if (!content.ok()) {
        return content.system_error();
    }
    const Result<Place> place = Place::of(file.target);
    if (!place.ok()) {
        return place.system_error();
    }
    return file.target == std::string_view(kResolvConfPath) ? place.value().copy(content.value(), status.st_mtim)
                                                            : place.value().replace(content.value(), status.st_mtim);
}

Result<void> place_bind(const HostFile& file, const MountFd& mount) {
    const Result<void> bound = bind_onto(file.target, mount);
    if (bound.ok() || copy_of_mount(file, mount).ok()) {
        return {};
    }
    return bound;
}

Result<void> place_link(const HostFile& file, const MountFd& mount) {
    const Result<Place> place = Place::of(file.target);
    if (!place.ok()) {
        return place.system_error();
    }
    if (zone_of_link(place.value().link()) == file.zone) {
        return {};
    }
    const Result<UniqueFd> zone = open_in_root(AT_FDCWD, ("/usr/share/zoneinfo/" + file.zone).c_str(), O_PATH);
    if (zone.ok() || !mount.valid()) {
        return zone.ok() ? place.value().link_to("../usr/share/zoneinfo/" + file.zone)
                         : Result<void>(zone.system_error());
    }
    return place_bind(file, mount);
}

Result<void> place(const PreparedHostFile& prepared) {
    if (prepared.action == HostFileAction::link) {
        return place_link(*prepared.file, prepared.mount);
    }
    if (prepared.action == HostFileAction::bind) {
        return place_bind(*prepared.file, prepared.mount);
    }
    const Result<Place> found = Place::of(prepared.file->target);
    if (!found.ok()) {
        return found.system_error();
    }
    switch (prepared.action) {
    case HostFileAction::remove:
        return found.value().remove();
    case HostFileAction::replace:
        return found.value().replace(prepared.content, prepared.modified);
    default:
        break;
    }
    const Result<void> copied = found.value().copy(prepared.content, prepared.modified);
    return copied.error() == ELOOP ? Result<void>() : copied; // a link is somebody's decision
}

} // namespace

void place_host_files(ChildState& state) {
    for (const PreparedHostFile& prepared : state.input.host_files) {
        const Result<void> placed = place(prepared);
        // Of what nobody asked for, --quiet wants to hear nothing.
        if (!placed.ok() && (prepared.file->on_request || !state.plan.quiet)) {
            state.warn(fmt::format("{} in the container is left as it is: {}: {}", prepared.file->target,
                                   placed.system_error().call, error_text(placed.error())));
        }
    }
}

} // namespace nspawn
