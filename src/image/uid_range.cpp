#include "image/uid_range.hpp"

#include "base/directory.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/id128.hpp"
#include "base/path.hpp"
#include "base/siphash.hpp"
#include "image/host_ids.hpp"
#include "linux/id_map.hpp"

#include <fmt/format.h>

#include <ctime>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr SipHashKey kNameKey = {0xe1, 0x56, 0xe0, 0xf0, 0x4a, 0xf0, 0x41, 0xaf,
                                 0x96, 0x41, 0xcf, 0x41, 0x33, 0x94, 0xff, 0x72};
constexpr int kTries = 99;
constexpr const char* kLockDirectory = "/run/systemd/nspawn-uid";
constexpr const char* kUserDatabaseLock = "/etc/.pwd.lock";
constexpr timespec kMoment = {.tv_sec = 0, .tv_nsec = 1'000'000};
constexpr int kMomentsToWait = 15'000; // as lckpwdf(3)

uint32_t base_from(uint32_t number) {
    return base_of_id(number % (kLastContainerBase - kFirstContainerBase) + kFirstContainerBase);
}

bool in_container_range(uint32_t base) { return base >= kFirstContainerBase && base <= kLastContainerBase; }

// Others who pick, and programs that add users, take turns with us. Without a file to lock (a read-only /etc) nobody
// can add users either.
UniqueFd lock_user_database() {
    Result<UniqueFd> file = open_at(AT_FDCWD, kUserDatabaseLock, O_WRONLY | O_CREAT | O_NOCTTY | O_NOFOLLOW, 0600);
    if (!file.ok()) {
        return {};
    }
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    for (int moment = 0; fcntl(file.value().get(), F_OFD_SETLK, &lock) < 0; ++moment) {
        if (errno != EAGAIN && errno != EACCES) {
            throw_system_error(errno, "fcntl", kUserDatabaseLock);
        }
        if (moment == kMomentsToWait) {
            throw Error(fmt::format("the user database of the host is locked for too long ({})", kUserDatabaseLock),
                        "Some program is about to change /etc/passwd. Wait for it, or give a range with "
                        "--private-users=BASE.");
        }
        nanosleep(&kMoment, nullptr);
    }
    return std::move(file).value();
}

Result<UniqueFd> open_lock(const std::string& path) {
    Result<UniqueFd> file = open_at(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_NOCTTY | O_NOFOLLOW, 0600);
    if (file.error() == ENOENT) {
        mkdir("/run/systemd", 0755); // whether they are there now is told by the next open
        mkdir(kLockDirectory, 0755);
        file = open_at(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_NOCTTY | O_NOFOLLOW, 0600);
    }
    return file;
}

// Invalid: somebody else's.
UniqueFd lock_range(const std::string& path) {
    // The holder before us may remove the file between our open and our lock; then the lock protects nothing.
    for (;;) {
        UniqueFd file = open_lock(path).or_throw(path);
        if (flock(file.get(), LOCK_EX | LOCK_NB) < 0) {
            if (errno != EWOULDBLOCK) {
                throw_system_error(errno, "flock", path);
            }
            return {};
        }
        struct stat status {};
        check(fstat(file.get(), &status), "fstat").or_throw(path);
        if (status.st_nlink > 0) {
            return file;
        }
    }
}

// Of killed runs whose range nobody has taken since.
void sweep_leftover_locks() {
    const Result<UniqueFd> directory = open_at(AT_FDCWD, kLockDirectory, O_RDONLY | O_DIRECTORY);
    if (!directory.ok()) {
        return;
    }
    (void)for_each_entry(directory.value().get(), [](const dirent64& entry) {
        const std::string path = join(kLockDirectory, static_cast<const char*>(entry.d_name));
        const Result<UniqueFd> file = open_at(AT_FDCWD, path.c_str(), O_RDWR | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
        if (file.ok() && flock(file.value().get(), LOCK_EX | LOCK_NB) == 0) {
            ::unlink(path.c_str());
        }
        return true;
    });
}

} // namespace

std::optional<uint32_t> choose_uid_base(std::string_view machine, uint32_t tree_owner,
                                        InlineFunction<uint32_t()> random, InlineFunction<bool(uint32_t)> take) {
    int tries = 0;
    if (const uint32_t base = base_of_id(tree_owner); in_container_range(base)) {
        ++tries;
        if (take(base)) {
            return base;
        }
    }
    uint32_t base = base_from(static_cast<uint32_t>(siphash24(machine, kNameKey)));
    for (; tries < kTries; ++tries) {
        if (take(base)) {
            return base;
        }
        base = base_from(random());
    }
    return std::nullopt;
}

UidRange::UidRange(UidRange&& other) noexcept
    : base_(other.base_), path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)),
      user_database_(std::move(other.user_database_)) {}

UidRange& UidRange::operator=(UidRange&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    std::swap(user_database_, other.user_database_);
    return *this;
}

UidRange::~UidRange() {
    if (!path_.empty()) {
        ::unlink(path_.c_str()); // while it is locked: nobody can hold another file of this name
        sweep_leftover_locks();
    }
}

bool UidRange::take(uint32_t base) {
    std::string path = fmt::format("{}/{}", kLockDirectory, base);
    lock_ = lock_range(path);
    if (!lock_) {
        return false;
    }
    base_ = base;
    path_ = std::move(path);
    return true;
}

UidRange UidRange::pick(std::string_view machine, uint32_t tree_owner) {
    UidRange range;
    range.user_database_ = lock_user_database();
    const HostIds host = HostIds::read();
    const OwnIds own = OwnIds::read().or_throw("reading our own id map");
    const auto take = [&](uint32_t base) {
        return own.contain(base, kIdsPerContainer) && !host.any_of(base, kIdsPerContainer) && range.take(base);
    };
    const auto random = [] { return static_cast<uint32_t>(random_u64()); };
    if (!choose_uid_base(machine, tree_owner, random, take)) {
        throw Error("no range of 65536 ids is free for the container",
                    "Inside another container that has no more ids to give, name some of its own with "
                    "--private-users=BASE:COUNT.")
            .with_code(EBUSY);
    }
    return range;
}

} // namespace nspawn
