#include "linux/extended_attributes.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace nspawn {

namespace {

// Linux 6.13, with one number for all processors that this builds for; the C library's headers are older.
constexpr long kListxattrat = 465;
std::atomic<bool> listxattrat_works = true;

Result<std::string_view> as_view(ssize_t size, std::span<char> buffer, const char* call) {
    if (size < 0) {
        return last_error(call);
    }
    return std::string_view(buffer.data(), static_cast<size_t>(size));
}

} // namespace

ExtendedAttributes::ExtendedAttributes(Held held, int fd, const char* name) : held_(held), fd_(fd), name_(name) {
    if (held == Held::path_fd) {
        std::snprintf(path_.data(), path_.size(), "/proc/self/fd/%d", fd);
    } else if (held == Held::entry) {
        std::snprintf(path_.data(), path_.size(), "/proc/self/fd/%d/%s", fd, name);
    }
}

ExtendedAttributes ExtendedAttributes::of_open_file(int fd) { return {Held::open_file, fd, ""}; }
ExtendedAttributes ExtendedAttributes::of_path_fd(int fd) { return {Held::path_fd, fd, ""}; }
ExtendedAttributes ExtendedAttributes::of_entry(int directory, const char* name) {
    return {Held::entry, directory, name};
}

ssize_t ExtendedAttributes::list_into(std::span<char> buffer) const {
    switch (held_) {
    case Held::open_file:
        return flistxattr(fd_, buffer.data(), buffer.size());
    case Held::path_fd: // which listxattrat(2) refuses
        return listxattr(path_.data(), buffer.data(), buffer.size());
    case Held::entry:
        break;
    }
    if (listxattrat_works) { // a third less than a path through /proc takes
        const long size = syscall(kListxattrat, fd_, name_, AT_SYMLINK_NOFOLLOW, buffer.data(), buffer.size());
        listxattrat_works = size >= 0 || (errno != ENOSYS && errno != EPERM);
        if (listxattrat_works) {
            return size;
        }
    }
    return llistxattr(path_.data(), buffer.data(), buffer.size());
}

Result<std::string_view> ExtendedAttributes::list(std::span<char> buffer) const {
    // The kernel sets as much memory aside as it is offered, each time; hardly a file needs much.
    const std::span<char> small = buffer.first(std::min<size_t>(buffer.size(), 256));
    ssize_t size = list_into(small);
    if (size < 0 && errno == ERANGE) {
        size = list_into(buffer);
    }
    if (size < 0 && errno == ENOTSUP) {
        return std::string_view();
    }
    return as_view(size, buffer, "listxattr");
}

Result<std::string_view> ExtendedAttributes::get(const char* name, std::span<char> buffer) const {
    ssize_t size = -1;
    switch (held_) {
    case Held::open_file:
        size = fgetxattr(fd_, name, buffer.data(), buffer.size());
        break;
    case Held::path_fd:
        size = getxattr(path_.data(), name, buffer.data(), buffer.size());
        break;
    case Held::entry:
        size = lgetxattr(path_.data(), name, buffer.data(), buffer.size());
        break;
    }
    return as_view(size, buffer, "getxattr");
}

Result<void> ExtendedAttributes::set(const char* name, std::string_view value) const {
    switch (held_) {
    case Held::open_file:
        return check(fsetxattr(fd_, name, value.data(), value.size(), 0), "fsetxattr");
    case Held::path_fd:
        return check(setxattr(path_.data(), name, value.data(), value.size(), 0), "setxattr");
    case Held::entry:
        return check(lsetxattr(path_.data(), name, value.data(), value.size(), 0), "lsetxattr");
    }
    return SystemError{EINVAL, "setxattr"};
}

Result<void> ExtendedAttributes::remove(const char* name) const {
    switch (held_) {
    case Held::open_file:
        return check(fremovexattr(fd_, name), "fremovexattr");
    case Held::path_fd:
        return check(removexattr(path_.data(), name), "removexattr");
    case Held::entry:
        return check(lremovexattr(path_.data(), name), "lremovexattr");
    }
    return SystemError{EINVAL, "removexattr"};
}

} // namespace nspawn
