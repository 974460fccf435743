#include "image/scratch_directory.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/id128.hpp"
#include "base/log.hpp"
#include "base/own_user.hpp"
#include "base/path.hpp"
#include "image/btrfs_subvolume.hpp"
#include "image/empty_directory.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr std::string_view kPrefix = ".#nspawn.";
constexpr size_t kMaxLabel = 100; // NAME_MAX is 255, and prefix, digits and dots are to fit too
constexpr mode_t kMode = 0700;
constexpr size_t kMaxSwept = 65536; // entries looked at: anybody may fill a place like /var/tmp

bool is_scratch_name(std::string_view name) {
    const size_t dot = name.rfind('.');
    return name.starts_with(kPrefix) && dot >= kPrefix.size() && name.size() - dot == 17 &&
           name.find_first_not_of("0123456789abcdef", dot + 1) == std::string_view::npos;
}

bool is_scratch_entry(std::string_view name) {
    return name == "." || name == ".." || name == "tree" || name == "upper" || name == "source" ||
           name.starts_with("work") || name.starts_with(kMovedUpPrefix);
}

Result<UniqueFd> open_directory(int parent, const char* name) {
    return open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<UniqueFd> open_and_lock(int parent, const char* name) {
    Result<UniqueFd> directory = open_directory(parent, name);
    if (directory.ok() && flock(directory.value().get(), LOCK_EX | LOCK_NB) < 0) {
        return SystemError{errno == EWOULDBLOCK ? EBUSY : errno, "flock"};
    }
    return directory;
}

// Reads through a descriptor of its own, so that `directory` keeps its position.
template <typename Visit>
Result<void> list(int directory, Visit visit) {
    const Result<UniqueFd> own = open_directory(directory, ".");
    return own.ok() ? for_each_entry(own.value().get(), visit) : Result<void>(own.system_error());
}

// What ScratchDirectory makes and nothing else: ours, private, with only our names in it.
bool looks_like_scratch(int directory) {
    struct stat status {};
    if (fstat(directory, &status) < 0 || status.st_uid != own_user() || (status.st_mode & 0077) != 0) {
        return false;
    }
    bool only_ours = true;
    const Result<void> listed = list(directory, [&](const dirent64& entry) {
        only_ours = is_scratch_entry(entry.d_name);
        return only_ours;
    });
    return listed.ok() && only_ours;
}

Result<void> remove_scratch(int parent, int directory, const char* name) {
    // Dropping a subvolume is one call; where it may not be dropped, it is emptied like any directory.
    (void)delete_subvolume(directory, "tree");
    if (const Result<void> emptied = empty_directory(directory); !emptied.ok()) {
        return emptied;
    }
    // By descriptor until here, since whoever owns the place can put something else under the name; and what is there
    // now goes only if it is empty.
    return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? Result<void>() : last_error("unlinkat");
}

Result<void> remove_leftover(int parent, const char* name) {
    const Result<UniqueFd> directory = open_and_lock(parent, name);
    if (directory.error() == ENOENT) {
        return {};
    }
    const bool no_directory = directory.error() == ENOTDIR || directory.error() == ELOOP;
    if (!directory.ok() && !no_directory) {
        return directory.system_error();
    }
    if (no_directory || !looks_like_scratch(directory.value().get())) {
        return SystemError{ENOTSUP, "fstat"};
    }
    return remove_scratch(parent, directory.value().get(), name);
}

} // namespace

Result<ScratchDirectory> ScratchDirectory::create(UniqueFd parent, const std::string& parent_path,
                                                  std::string_view label) {
    ScratchDirectory scratch;
    scratch.parent_ = std::move(parent);
    for (int attempt = 0; attempt < 8; ++attempt) {
        scratch.name_ = fmt::format("{}{}.{:016x}", kPrefix, label.substr(0, kMaxLabel), random_u64());
        scratch.path_ = join(parent_path, scratch.name_);
        scratch.record_.add(ScratchKind::tree, scratch.path_);
        if (mkdirat(scratch.parent_.get(), scratch.name_.c_str(), kMode) < 0) {
            return last_error("mkdirat");
        }
        // A sweep may come between creation and lock, and take the empty directory away.
        Result<UniqueFd> directory = open_and_lock(scratch.parent_.get(), scratch.name_.c_str());
        struct stat status {};
        if (directory.ok() && fstat(directory.value().get(), &status) == 0 && status.st_nlink > 0) {
            scratch.fd_ = std::move(directory).value();
            return scratch;
        }
        if (!directory.ok() && directory.error() != ENOENT && directory.error() != EBUSY) {
            unlinkat(scratch.parent_.get(), scratch.name_.c_str(), AT_REMOVEDIR);
            return directory.system_error();
        }
    }
    return SystemError{EAGAIN, "flock"};
}

ScratchDirectory::~ScratchDirectory() {
    if (!fd_) {
        return;
    }
    const Result<void> removed = remove_scratch(parent_.get(), fd_.get(), name_.c_str());
    if (!removed.ok()) {
        record_.keep();
        log::warning("cannot remove {}: {}: {}; the next run will try again", path_, removed.system_error().call,
                     error_text(removed.error()));
    }
}

Result<void> remove_leftover_scratch(const std::string& path) {
    const std::string name(base_name(path));
    if (!is_scratch_name(name)) {
        return SystemError{EINVAL, "path"};
    }
    const Result<UniqueFd> parent = open_at(AT_FDCWD, parent_of(path).c_str(), O_RDONLY | O_DIRECTORY);
    if (parent.error() == ENOENT) {
        return {};
    }
    return parent.ok() ? remove_leftover(parent.value().get(), name.c_str()) : parent.system_error();
}

void sweep_leftover_scratch(int parent) {
    struct stat status {};
    // Others who can rename here could give a directory of ours such a name to have it removed.
    if (fstat(parent, &status) < 0 || (status.st_uid != own_user() && status.st_uid != 0) ||
        ((status.st_mode & 0022) != 0 && (status.st_mode & S_ISVTX) == 0)) {
        return;
    }
    size_t count = 0;
    (void)list(parent, [&](const dirent64& entry) {
        const Result<void> removed =
            is_scratch_name(entry.d_name) ? remove_leftover(parent, entry.d_name) : Result<void>();
        if (!removed.ok()) {
            log::debug("leftover {}: {}", entry.d_name, error_text(removed.error()));
        }
        return ++count < kMaxSwept;
    });
}

} // namespace nspawn
