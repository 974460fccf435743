#include "linux/network_namespace.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"
#include "linux/kernel_file.hpp"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

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

namespace {

bool some_process_is_in(const std::string& link) {
    const Result<UniqueFd> processes = open_at(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY);
    bool found = false;
    if (processes.ok()) {
        (void)for_each_entry(processes.value().get(), [&](const dirent64& entry) {
            const std::string path = fmt::format("{}/ns/net", static_cast<const char*>(entry.d_name));
            std::array<char, 64> target{};
            const ssize_t size = readlinkat(processes.value().get(), path.c_str(), target.data(), target.size());
            found = size > 0 && std::string_view(target.data(), static_cast<size_t>(size)) == link;
            return !found;
        });
    }
    return found;
}

} // namespace

bool network_namespace_exists(uint64_t number) {
    constexpr size_t kManyMounts = size_t{16} << 20;
    const std::string link = fmt::format("net:[{}]", number);
    const Result<std::string> mounts = read_kernel_file(AT_FDCWD, "/proc/self/mountinfo", kManyMounts);
    return (mounts.ok() && mounts.value().find(" " + link + " ") != std::string::npos) || some_process_is_in(link);
}

} // namespace nspawn
