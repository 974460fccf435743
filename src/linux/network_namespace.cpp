#include "linux/network_namespace.hpp"

#include "base/file.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace nspawn {

Result<UniqueFd> open_network_namespace(const char* path) {
    Result<UniqueFd> file = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file.ok()) {
        return file;
    }
    // Of another file the request means nothing, or something else.
    struct stat status {};
    if (fstat(file.value().get(), &status) < 0) {
        return last_error("fstat");
    }
    if (!S_ISREG(status.st_mode) || ioctl(file.value().get(), NS_GET_NSTYPE) != CLONE_NEWNET) {
        return SystemError{EINVAL, "ioctl(NS_GET_NSTYPE)"};
    }
    return file;
}

Result<UniqueFd> open_network_namespace(pid_t pid) {
    return open_at(AT_FDCWD, fmt::format("/proc/{}/ns/net", pid).c_str(), O_RDONLY);
}

Result<uint64_t> network_namespace_number(int fd) {
    struct stat status {};
    if (fstat(fd, &status) < 0) {
        return last_error("fstat");
    }
    return status.st_ino;
}

Result<uint64_t> own_network_namespace_number() {
    struct stat status {};
    if (stat("/proc/self/ns/net", &status) < 0) {
        return last_error("stat");
    }
    return status.st_ino;
}

} // namespace nspawn
