#include "image/tree_lock.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/path.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <climits>
#include <ctime>
#include <memory>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace nspawn {

namespace {

constexpr char kLockDirectory[] = "/run/systemd/nspawn/locks";
// The last of several readers holds the file alone while it removes it: two system calls, between which it may have to
// give its processor away.
constexpr timespec kMoment = {.tv_sec = 0, .tv_nsec = 500'000};
constexpr int kMomentsToWait = 80;

Result<void> set_lock(int fd, short type) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        return SystemError{errno == EACCES ? EAGAIN : errno, "fcntl"};
    }
    return {};
}

Result<UniqueFd> open_lock_file(const std::string& path) {
    return open_at(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_NOCTTY | O_NOFOLLOW, 0600);
}

// EAGAIN: somebody else holds it.
Result<UniqueFd> lock_file(const std::string& path, TreeLock::Mode mode) {
    // The holder before us may remove the file between our open and our lock; then the lock protects nothing.
    for (int attempt = 0; attempt < 100; ++attempt) {
        Result<UniqueFd> file = open_lock_file(path);
        if (!file.ok()) {
            return file;
        }
        const int fd = file.value().get();
        const Result<void> locked = set_lock(fd, mode == TreeLock::Mode::exclusive ? F_WRLCK : F_RDLCK);
        struct stat status {};
        if (locked.error() == EAGAIN && attempt < kMomentsToWait) {
            nanosleep(&kMoment, nullptr);
            continue;
        }
        if (!locked.ok()) {
            return locked.system_error();
        }
        if (fstat(fd, &status) < 0) {
            return last_error("fstat");
        }
        if (!S_ISREG(status.st_mode)) {
            return SystemError{ENOTSUP, "open"};
        }
        if (status.st_nlink > 0) {
            return file;
        }
    }
    return SystemError{EAGAIN, "fcntl"};
}

Result<UniqueFd> lock_global(const std::string& path, TreeLock::Mode mode) {
    Result<UniqueFd> file = lock_file(path, mode);
    if (file.error() != ENOENT) {
        return file;
    }
    mkdir("/run/systemd", 0755); // whether they are there now is told by the next open
    mkdir("/run/systemd/nspawn", 0755);
    mkdir(kLockDirectory, 0700);
    return lock_file(path, mode);
}

using Listing = std::unique_ptr<DIR, int (*)(DIR*)>;

bool has_open(const std::string& process, const std::string& path) {
    const Listing fds(opendir((process + "/fd").c_str()), closedir);
    std::array<char, PATH_MAX> target; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlinkat
    while (const dirent* entry = fds ? readdir(fds.get()) : nullptr) {
        const ssize_t size = readlinkat(dirfd(fds.get()), entry->d_name, target.data(), target.size());
        if (size > 0 && std::string_view(target.data(), static_cast<size_t>(size)) == path) {
            return true;
        }
    }
    return false;
}

// " (by process 1234, nspawn)", or nothing when it cannot be told. The kernel does not know whose such a lock is, but
// who has the file open; it is worth the walk only when there is bad news to explain.
std::string holder_of(const std::string& path) {
    const Listing processes(opendir("/proc"), closedir);
    while (const dirent* entry = processes ? readdir(processes.get()) : nullptr) {
        const std::string process = join("/proc", entry->d_name);
        if (parse_unsigned(entry->d_name) && has_open(process, path)) {
            const std::string name = read_file(AT_FDCWD, (process + "/comm").c_str(), 64).value_or("");
            return fmt::format(" (by process {}, {})", entry->d_name, printable(trim(name)));
        }
    }
    return {};
}

[[noreturn]] void throw_busy(const std::string& path, const std::string& holder) {
    throw Error(fmt::format("{} is currently busy{}", path, holder),
                "Another container uses it. Wait for it to end, or start from a throw-away copy with --ephemeral.")
        .with_code(EBUSY);
}

} // namespace

TreeLock TreeLock::acquire(int tree, const std::string& path, Mode mode) {
    TreeLock lock;
    lock.mode_ = mode;
    if (path == "/") {
        if (mode == Mode::exclusive) {
            throw_busy(path, " (by the host itself)");
        }
        return lock;
    }
    struct stat status {};
    check(fstat(tree, &status), "fstat").or_throw(path);
    const bool device = S_ISBLK(status.st_mode);
    lock.local_.path = join(parent_of(path), fmt::format(".#{}.lck", base_name(path)));
    lock.global_.path =
        device ? fmt::format("{}/block-{}:{}", kLockDirectory, major(status.st_rdev), minor(status.st_rdev))
               : fmt::format("{}/inode-{}:{}", kLockDirectory, status.st_dev, status.st_ino);
    Result<UniqueFd> local = device ? Result<UniqueFd>(SystemError{ENODEV, "open"}) : lock_file(lock.local_.path, mode);
    const int local_error = local.error();
    if (local_error == EAGAIN) {
        throw_busy(path, holder_of(lock.local_.path));
    }
    if (local.ok()) {
        lock.local_.fd = std::move(local).value();
    } else {
        log::debug("no lock in the directory of {}: {}: {}", path, lock.local_.path, error_text(local_error));
    }
    Result<UniqueFd> global = lock_global(lock.global_.path, mode);
    if (global.error() == EAGAIN) {
        throw_busy(path, holder_of(lock.global_.path));
    }
    if (global.ok()) {
        lock.global_.fd = std::move(global).value();
    } else if (!lock.local_.fd) {
        throw Error(fmt::format("cannot lock {}: {}: {}; {}: {}", path, lock.local_.path, error_text(local_error),
                                lock.global_.path, error_text(global.error())),
                    "Set SYSTEMD_NSPAWN_LOCK=0 to start without a lock; nothing then stops a second container.")
            .with_code(global.error());
    }
    return lock;
}

void TreeLock::release(File& file, Mode mode) {
    if (!file.fd || file.path.empty()) {
        return;
    }
    // Of several readers, the one that can become the writer is the last. None of them may still be a reader when it
    // tries: two that tried at the same time would both leave the file to the other.
    if (mode == Mode::exclusive || (set_lock(file.fd.get(), F_UNLCK).ok() && set_lock(file.fd.get(), F_WRLCK).ok())) {
        ::unlink(file.path.c_str());
    }
    file.path.clear();
}

TreeLock::~TreeLock() { remove_files(); }

void TreeLock::remove_files() {
    release(local_, mode_);
    release(global_, mode_);
}

} // namespace nspawn
