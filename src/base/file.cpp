#include "base/file.hpp"

#include <array>
#include <climits>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nspawn {

Result<UniqueFd> open_in_root(int root, const char* path, int flags, mode_t mode, uint64_t resolve) {
    open_how how{};
    how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
    how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve;
    // EAGAIN: a rename raced with ".." resolution; the kernel asks to try again (openat2(2)).
    for (int attempt = 0; attempt < 64; ++attempt) {
        const long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0) {
            return UniqueFd(static_cast<int>(fd));
        }
        if (errno != EAGAIN && errno != EINTR) {
            break;
        }
    }
    return last_error("openat2");
}

Result<UniqueFd> open_at(int directory, const char* path, int flags, mode_t mode) {
    const int fd = ::openat(directory, path, flags | O_CLOEXEC, mode);
    if (fd < 0) {
        return last_error("openat");
    }
    return UniqueFd(fd);
}

Result<UniqueFd> reopen(int fd, int flags) {
    std::array<char, 40> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
    return open_at(AT_FDCWD, path.data(), flags);
}

Result<std::string> path_of_descriptor(int fd) {
    std::array<char, 40> link{};
    std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
    std::array<char, PATH_MAX> path; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlink
    const ssize_t size = readlink(link.data(), path.data(), path.size());
    if (size < 0) {
        return last_error("readlink");
    }
    if (static_cast<size_t>(size) == path.size()) {
        return SystemError{ENAMETOOLONG, "readlink"};
    }
    return std::string(path.data(), static_cast<size_t>(size));
}

Result<UniqueFd> duplicate(int fd) {
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
        return last_error("fcntl");
    }
    return UniqueFd(copy);
}

namespace {

// To the end, or until there are `enough` bytes: then the end needs no read(2) of its own.
Result<std::string> read_until(int fd, size_t limit, size_t enough) {
    std::string content;
    std::array<char, 4096> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    while (content.size() < enough) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return last_error("read");
        }
        if (got == 0) {
            break;
        }
        if (content.size() + static_cast<size_t>(got) > limit) {
            return SystemError{EFBIG, "read"};
        }
        content.append(buffer.data(), static_cast<size_t>(got));
    }
    return content;
}

Result<std::string> read_regular(Result<UniqueFd> file, size_t limit) {
    if (!file.ok()) {
        return file.system_error();
    }
    struct stat status {};
    if (fstat(file.value().get(), &status) < 0) {
        return last_error("fstat");
    }
    if (!S_ISREG(status.st_mode)) {
        return SystemError{ENOTSUP, "open"};
    }
    // Kernel files have no size.
    const size_t enough = status.st_size > 0 ? static_cast<size_t>(status.st_size) : SIZE_MAX;
    return read_until(file.value().get(), limit, enough);
}

} // namespace

Result<std::string> read_all(int fd, size_t limit) { return read_until(fd, limit, SIZE_MAX); }

Result<std::string> read_file(int directory, const char* path, size_t limit) {
    return read_regular(open_at(directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY), limit);
}

Result<std::string> read_file_in_root(int root, const char* path, size_t limit) {
    return read_regular(open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY), limit);
}

Result<void> write_all(int fd, std::string_view data) {
    while (!data.empty()) {
        const ssize_t written = ::write(fd, data.data(), data.size());
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return last_error("write");
        }
        data.remove_prefix(static_cast<size_t>(written));
    }
    return {};
}

Result<void> write_existing(int directory, const char* path, std::string_view data) {
    Result<UniqueFd> file = open_at(directory, path, O_WRONLY | O_NOCTTY);
    if (!file.ok()) {
        return file.system_error();
    }
    if (::write(file.value().get(), data.data(), data.size()) < 0) {
        return last_error("write");
    }
    return {};
}

} // namespace nspawn
