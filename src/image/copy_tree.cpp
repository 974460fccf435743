#include "image/copy_tree.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "base/work_stack.hpp"
#include "image/copy_file.hpp"
#include "image/hard_links.hpp"
#include "image/open_directories.hpp"
#include "linux/extended_attributes.hpp"
#include "linux/mount_fd.hpp"
#include "linux/termination.hpp"

#include <fmt/format.h>

#include <array>
#include <climits>

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr unsigned kThreads = 2;
constexpr size_t kListBuffer = size_t{32} * 1024;

using Directories = OpenDirectories<2>; // the source and its copy
constexpr size_t kSource = 0;
constexpr size_t kTarget = 1;

// A directory that is at hand, with its copy.
struct Pair {
    Directories::Place place;
    Directories::Held open;

    [[nodiscard]] int source() const { return (*open)[kSource].get(); }
    [[nodiscard]] int target() const { return (*open)[kTarget].get(); }
};

// A directory whose copy was made and is still empty.
struct Pending {
    Directories::Place parent;
    std::string name;
};

// What all threads share.
struct Copy {
    Copy(const std::string& from, const std::string& to, UniqueFd top)
        : source_path(from), target_path(to), target(std::move(top)) {}

    const std::string& source_path;
    const std::string& target_path;
    struct stat scratch {};
    UniqueFd target; // the top
    uid_t own_uid = geteuid();
    gid_t own_gid = getegid();
    Directories directories;
    WorkStack<Pending> pending;
    CopyAbilities abilities;
    HardLinks links;
    std::atomic<bool> attribute_refused = false;
};

// Nothing to worry about: it is gone, or was exchanged for something else, since it was listed.
bool has_vanished(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

const char* hint_for(int code) {
    switch (code) {
    case ENOSPC:
    case EDQUOT:
        return "Nothing of the copy is kept. Make room, or start from a throw-away copy of it with --ephemeral.";
    case EMFILE:
        return "Raise ulimit -n.";
    default:
        return "";
    }
}

// What one thread does. Holds the buffers it needs.
class TreeCopier {
public:
    explicit TreeCopier(Copy& copy) : copy_(copy), files_(copy.abilities) {}

    void operator()(const Pending& next) {
        const Result<Directories::Held> reopened = copy_.directories.open(next.parent);
        if (has_vanished(reopened.error()) || reopened.error() == ESTALE) {
            return; // of the source; nobody else changes the copy
        }
        const Pair parent{next.parent, must(reopened, {next.parent, nullptr}, "")};
        const char* const name = next.name.c_str();
        Result<UniqueFd> source = open_beneath(parent.source(), name, O_RDONLY | O_DIRECTORY);
        if (source.error() == EXDEV) {
            dress_entry(parent, name, must(status_of(parent.source(), name), parent, name)); // a mount is left out
            return;
        }
        if (!source.ok() && has_vanished(source.error())) {
            unlinkat(parent.target(), name, AT_REMOVEDIR);
            return;
        }
        Directories::Fds fds;
        fds[kSource] = must(std::move(source), parent, name);
        fds[kTarget] = must(open_beneath(parent.target(), name, O_RDONLY | O_DIRECTORY), parent, name);
        auto [place, open] = copy_.directories.add(parent.place, next.name, std::move(fds));
        copy_directory({std::move(place), std::move(open)});
    }

    // All that is in it but what is in its directories, and then what it looks like itself.
    void copy_directory(const Pair& pair) {
        if (is_termination_requested()) {
            fail(pair, "", {EINTR, "getdents64"});
        }
        const int source = pair.source();
        const int target = pair.target();
        const Result<void> listed = for_each_entry<kListBuffer>(source, [&](const dirent64& entry) {
            copy_entry(pair, entry);
            return true;
        });
        must(listed, pair, "");
        const struct stat status = must(status_of(source), pair, "");
        give_owner(target, status, pair, "");
        must(check(fchmod(target, status.st_mode & 07777), "fchmod"), pair, "");
        copy_attributes(ExtendedAttributes::of_open_file(source), ExtendedAttributes::of_open_file(target), pair, "");
        give_times(target, nullptr, status, pair, "");
    }

private:
    static std::string path_in(const Pair& pair, const char* name) {
        std::string path = pair.place->path();
        path.append(path.empty() || *name == '\0' ? "" : "/").append(name);
        return path;
    }
    [[noreturn]] void fail(const Pair& pair, const char* name, SystemError error) const {
        if (error.code == EINTR) {
            throw Error(fmt::format("interrupted while copying {}", printable(copy_.source_path))).with_code(EINTR);
        }
        throw Error(fmt::format("cannot copy {} to {}: {}: {}",
                                printable(simplified(join(copy_.source_path, path_in(pair, name)))),
                                printable(copy_.target_path), error.call, error_text(error.code)),
                    hint_for(error.code))
            .with_code(error.code);
    }
    void must(const Result<void>& result, const Pair& pair, const char* name) const {
        if (!result.ok()) {
            fail(pair, name, result.system_error());
        }
    }
    template <typename T>
    T must(Result<T> result, const Pair& pair, const char* name) const {
        if (!result.ok()) {
            fail(pair, name, result.system_error());
        }
        return std::move(result).value();
    }
    static Result<struct stat> status_of(int fd, const char* name = nullptr) {
        struct stat status {};
        const int flags = name == nullptr ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
        if (fstatat(fd, name == nullptr ? "" : name, &status, flags) < 0) {
            return last_error("fstatat");
        }
        return status;
    }

    void copy_entry(const Pair& pair, const dirent64& entry) {
        const char* const name = entry.d_name;
        if (entry.d_type == DT_REG) {
            copy_regular(pair, name);
            return;
        }
        const Result<struct stat> looked_at = status_of(pair.source(), name);
        if (has_vanished(looked_at.error())) {
            return;
        }
        const struct stat& status = must(looked_at, pair, name);
        if (S_ISDIR(status.st_mode)) {
            if (status.st_dev == copy_.scratch.st_dev && status.st_ino == copy_.scratch.st_ino) {
                return;
            }
            must(check(mkdirat(pair.target(), name, 0700), "mkdirat"), pair, name);
            copy_.pending.push({pair.place, name});
        } else if (S_ISREG(status.st_mode)) {
            copy_regular(pair, name);
        } else if (S_ISLNK(status.st_mode)) {
            copy_link(pair, name, status);
        } else {
            copy_node(pair, name, status);
        }
    }

    void copy_regular(const Pair& pair, const char* name) {
        const Result<UniqueFd> opened = open_beneath(pair.source(), name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (has_vanished(opened.error()) || opened.error() == EXDEV) {
            return;
        }
        must(opened.ok() ? Result<void>() : opened.system_error(), pair, name);
        const int source = opened.value().get();
        const struct stat status = must(status_of(source), pair, name);
        if (!S_ISREG(status.st_mode)) {
            return; // exchanged meanwhile
        }
        const UniqueFd target = make_file(pair, name, status);
        if (!target) {
            return; // another name of a file that was copied
        }
        must(files_.copy(source, status, target.get()), pair, name);
        dress_file(source, target.get(), status, pair, name);
    }

    // Owner first, since a change of it takes off set-user-id bits and capabilities; times last.
    void dress_file(int source, int target, const struct stat& status, const Pair& pair, const char* name) {
        const bool given = give_owner(target, status, pair, name);
        if (given || (status.st_mode & 07000) != 0) {
            must(check(fchmod(target, status.st_mode & 07777), "fchmod"), pair, name);
        }
        copy_attributes(ExtendedAttributes::of_open_file(source), ExtendedAttributes::of_open_file(target), pair, name);
        give_times(target, nullptr, status, pair, name);
    }

    // Invalid: the file has other names, one of them was copied before, and this is now another name of that copy.
    UniqueFd make_file(const Pair& pair, const char* name, const struct stat& status) {
        const auto make = [&] {
            return must(open_at(pair.target(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, status.st_mode & 0777),
                        pair, name);
        };
        if (status.st_nlink < 2) {
            return make();
        }
        const std::string path = path_in(pair, name);
        UniqueFd file;
        const Result<void> linked = copy_.links.link_or_make({status.st_dev, status.st_ino}, copy_.target.get(), path,
                                                             pair.target(), name, [&] { file = make(); });
        must(linked, pair, name);
        return file;
    }

    void copy_link(const Pair& pair, const char* name, const struct stat& status) {
        std::array<char, PATH_MAX> leads_to; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlinkat
        const ssize_t size = readlinkat(pair.source(), name, leads_to.data(), leads_to.size() - 1);
        if (size < 0) {
            if (errno != EINVAL && !has_vanished(errno)) { // EINVAL: no link any more
                fail(pair, name, last_error("readlinkat"));
            }
            return;
        }
        leads_to[static_cast<size_t>(size)] = '\0';
        const auto make = [&] {
            must(check(symlinkat(leads_to.data(), pair.target(), name), "symlinkat"), pair, name);
            dress_entry(pair, name, status);
        };
        link_or_make(pair, name, status, make);
    }

    void copy_node(const Pair& pair, const char* name, const struct stat& status) {
        link_or_make(pair, name, status, [&] {
            must(check(mknodat(pair.target(), name, status.st_mode, status.st_rdev), "mknodat"), pair, name);
            dress_entry(pair, name, status);
        });
    }

    template <typename Make>
    void link_or_make(const Pair& pair, const char* name, const struct stat& status, Make make) {
        if (status.st_nlink < 2) {
            make();
            return;
        }
        const std::string path = path_in(pair, name);
        must(copy_.links.link_or_make({status.st_dev, status.st_ino}, copy_.target.get(), path, pair.target(), name,
                                      make),
             pair, name);
    }

    // What cannot be opened without side effects is dressed by its name; nobody else can exchange it.
    void dress_entry(const Pair& pair, const char* name, const struct stat& status) {
        const int target = pair.target();
        if (status.st_uid != copy_.own_uid || status.st_gid != copy_.own_gid) {
            must(check(fchownat(target, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW), "fchownat"), pair,
                 name);
        }
        if (!S_ISLNK(status.st_mode)) {
            must(check(fchmodat(target, name, status.st_mode & 07777, 0), "fchmodat"), pair, name);
        }
        copy_attributes(ExtendedAttributes::of_entry(pair.source(), name), ExtendedAttributes::of_entry(target, name),
                        pair, name);
        give_times(target, name, status, pair, name);
    }

    // True when it was another's before.
    bool give_owner(int fd, const struct stat& status, const Pair& pair, const char* name) const {
        if (status.st_uid == copy_.own_uid && status.st_gid == copy_.own_gid) {
            return false;
        }
        must(check(fchown(fd, status.st_uid, status.st_gid), "fchown"), pair, name);
        return true;
    }

    // No `entry`: of the open file itself.
    void give_times(int fd, const char* entry, const struct stat& status, const Pair& pair, const char* name) const {
        const timespec times[] = {status.st_atim, status.st_mtim};
        must(entry == nullptr ? check(futimens(fd, times), "futimens")
                              : check(utimensat(fd, entry, times, AT_SYMLINK_NOFOLLOW), "utimensat"),
             pair, name);
    }

    void copy_attributes(const ExtendedAttributes& from, const ExtendedAttributes& to, const Pair& pair,
                         const char* name) {
        for_each_attribute(must(from.list(list_), pair, name), [&](const char* attribute) {
            const Result<std::string_view> value = from.get(attribute, value_);
            if (value.error() == ENODATA) {
                return; // removed meanwhile
            }
            const Result<void> done = value.ok() ? to.set(attribute, value.value()) : value.system_error();
            if (done.error() == ENOTSUP || done.error() == EPERM || done.error() == EINVAL) {
                note_refused(attribute);
            } else {
                must(done, pair, name);
            }
        });
    }

    void note_refused(const char* name) {
        if (!copy_.attribute_refused.exchange(true)) {
            log::warning("{}: this file system does not take the attribute {} of files in {}; it is left out",
                         copy_.target_path, name, copy_.source_path);
        }
    }

    Copy& copy_;
    FileCopier files_;
    std::vector<char> list_ = std::vector<char>(ExtendedAttributes::kLargest);
    std::vector<char> value_ = std::vector<char>(ExtendedAttributes::kLargest);
};

// The source without the mounts in it, and so that no device is opened by mistake and no time of access is changed.
// Where mounts cannot be taken away (inside another container) they are passed over on the way instead.
UniqueFd open_source(int source, const std::string& path) {
    constexpr uint64_t kHarmless =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME;
    const Result<MountFd> bare =
        MountFd::clone_with(source, "", Recursive::no, {kHarmless, MOUNT_ATTR__ATIME, Propagation::private_});
    return open_at(bare.ok() ? bare.value().get() : source, ".", O_RDONLY | O_DIRECTORY).or_throw(printable(path));
}

// As if it had been made anywhere: what the place hands down (group, default access control list) must not reach the
// copy.
void make_plain(int target) {
    check(fchown(target, geteuid(), getegid()), "fchown").or_throw("");
    check(fchmod(target, 0700), "fchmod").or_throw("");
    for (const char* acl : {"system.posix_acl_access", "system.posix_acl_default"}) {
        const Result<void> removed = ExtendedAttributes::of_open_file(target).remove(acl);
        if (removed.error() != ENODATA && removed.error() != ENOTSUP) {
            removed.or_throw("");
        }
    }
}

// Modes are meant as they are.
class NoUmask {
public:
    NoUmask() : previous_(umask(0)) {}
    NoUmask(const NoUmask&) = delete;
    NoUmask& operator=(const NoUmask&) = delete;
    ~NoUmask() { umask(previous_); }

private:
    mode_t previous_;
};

} // namespace

CopiedHow copy_tree(int source, const std::string& source_path, int target, const std::string& target_path,
                    int scratch) {
    const NoUmask no_umask;
    make_plain(target);
    Copy copy(source_path, target_path, duplicate(target).or_throw(target_path));
    check(fstat(scratch, &copy.scratch), "fstat").or_throw(target_path);
    {
        Directories::Fds fds;
        fds[kSource] = open_source(source, source_path);
        fds[kTarget] = duplicate(target).or_throw(target_path);
        auto [place, open] = copy.directories.add(nullptr, "", std::move(fds));
        TreeCopier(copy).copy_directory({std::move(place), std::move(open)});
    }
    copy.pending.work_off(kThreads, [&] { return TreeCopier(copy); });
    return copy.abilities.reflink ? CopiedHow::reflinks : CopiedHow::contents;
}

} // namespace nspawn
