#include "image/file_system_check.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "linux/process.hpp"

#include <fmt/format.h>

#include <csignal>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr int kRepaired = 1; // bit of the exit status; every other says that something is left

std::string find_fsck(const std::string& type) {
    for (const char* directory : {"/usr/sbin", "/sbin", "/usr/bin"}) {
        const std::string path = fmt::format("{}/fsck.{}", directory, type);
        if (access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    return {};
}

[[noreturn]] void become_fsck(const std::string& path, const std::string& device) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
        dup2(null, STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, 0) == 0) {
        const char* const arguments[] = {path.c_str(), "-a", device.c_str(), nullptr};
        const char* const environment[] = {nullptr};
        execve(path.c_str(), const_cast<char**>(arguments), const_cast<char**>(environment));
    }
    _exit(127);
}

} // namespace

void check_file_system(const std::string& type, const std::string& device) {
    const std::string path = find_fsck(type);
    if (path.empty()) {
        log::warning("{} has not been unmounted cleanly, and there is no fsck.{} to check it", device, type);
        return;
    }
    Pidfd process = clone_process({}).or_throw("starting fsck");
    if (!process.valid()) {
        become_fsck(path, device);
    }
    const ProcessEnd end = process.wait().or_throw("waiting for fsck");
    if (!end.exited || (end.status & ~kRepaired) != 0) {
        throw Error(fmt::format("{} finds errors that it does not repair by itself", path),
                    "Run it by hand, or start with --read-only.")
            .with_code(EUCLEAN);
    }
}

} // namespace nspawn
