#include "image/path_claim.hpp"

#include "base/file.hpp"
#include "base/path.hpp"
#include "base/siphash.hpp"
#include "image/scratch_record.hpp"

#include <limits>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr SipHashKey kPathKey = {0x70, 0x61, 0x74, 0x68, 0x20, 0x63, 0x6c, 0x61,
                                 0x69, 0x6d, 0x20, 0x31, 0x2e, 0x30, 0x00, 0x01};

// Two paths with the same byte would only be removed later than they could be.
off_t byte_of(std::string_view path) {
    constexpr auto kLast = static_cast<uint64_t>(std::numeric_limits<off_t>::max()) >> 1;
    return static_cast<off_t>(siphash24(path, kPathKey) & kLast);
}

Result<UniqueFd> open_claims() {
    const std::string directory = join(runtime_directory(), "nspawn");
    const std::string path = join(directory, "claims");
    constexpr int kFlags = O_RDWR | O_CREAT | O_NOCTTY | O_NOFOLLOW;
    Result<UniqueFd> file = open_at(AT_FDCWD, path.c_str(), kFlags, 0600);
    if (file.error() == ENOENT) {
        mkdir(directory.c_str(), 0755); // whether it is there now is told by the next attempt
        file = open_at(AT_FDCWD, path.c_str(), kFlags, 0600);
    }
    return file;
}

Result<void> set_lock(int file, off_t byte, int command, short type) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = byte;
    lock.l_len = 1;
    while (fcntl(file, command, &lock) < 0) {
        if (errno != EINTR) {
            return SystemError{errno == EACCES ? EAGAIN : errno, "fcntl"};
        }
    }
    return {};
}

} // namespace

Result<PathClaim> PathClaim::take(std::string_view path, int command, short type) {
    Result<UniqueFd> file = open_claims();
    if (!file.ok()) {
        return file.system_error();
    }
    const off_t byte = byte_of(path);
    const Result<void> locked = set_lock(file.value().get(), byte, command, type);
    return locked.ok() ? Result<PathClaim>(PathClaim(std::move(file).value(), byte)) : locked.system_error();
}

Result<PathClaim> PathClaim::share(std::string_view path) { return take(path, F_OFD_SETLKW, F_RDLCK); }

Result<PathClaim> PathClaim::alone(std::string_view path) { return take(path, F_OFD_SETLK, F_WRLCK); }

// Two who share it stand in each other's way until one lets go: so each does, and the last one to try finds nobody.
Result<void> PathClaim::become_alone() {
    Result<void> locked = set_lock(file_.get(), byte_, F_OFD_SETLK, F_WRLCK);
    if (locked.error() == EAGAIN) {
        (void)set_lock(file_.get(), byte_, F_OFD_SETLK, F_UNLCK);
        locked = set_lock(file_.get(), byte_, F_OFD_SETLK, F_WRLCK);
    }
    return locked;
}

} // namespace nspawn
