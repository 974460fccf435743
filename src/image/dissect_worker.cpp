#include "image/dissect_worker.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/path.hpp"
#include "linux/process.hpp"

#include <fmt/format.h>

#include <array>
#include <climits>
#include <csignal>
#include <ctime>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr const char* kName = "nspawn-dissect";
constexpr int kPatience = 30'000; // milliseconds

// Where the running program lies: the kernel's word, not argv[0].
std::string own_directory() {
    std::array<char, PATH_MAX> path; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlink
    const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
    check(size, "readlink").or_throw("finding the own program (is /proc mounted?)");
    return parent_of(std::string_view(path.data(), static_cast<size_t>(size)));
}

std::string find_worker() {
    const std::string directory = own_directory();
    const std::string places[] = {join(join(directory, NSPAWN_WORKERS_FROM_PROGRAM), kName), join(directory, kName)};
    for (const std::string& path : places) {
        if (access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    throw Error(fmt::format("disk images need the program {}, which is neither {} nor {}", kName, places[0], places[1]),
                "It is a part of nspawn's installation.")
        .with_code(ENOENT);
}

[[noreturn]] void become_worker(const std::string& path, const char* verb, int input, int output) {
    // Above the standard streams first: either may be one of them already.
    const int high_input = fcntl(input, F_DUPFD, 10);
    const int high_output = fcntl(output, F_DUPFD, 10);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && dup2(high_input, STDIN_FILENO) >= 0 &&
        dup2(high_output, STDOUT_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, 0) == 0) {
        const char* const arguments[] = {kName, verb, nullptr};
        const char* const environment[] = {nullptr};
        execve(path.c_str(), const_cast<char**>(arguments), const_cast<char**>(environment));
    }
    _exit(127);
}

int64_t now_in_milliseconds() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * int64_t{1000} + now.tv_nsec / 1'000'000;
}

// To end of file, within bounds of size and of time.
std::string read_answer(int fd, const Pidfd& process) {
    std::string answer;
    std::array<char, 4096> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    const int64_t end = now_in_milliseconds() + kPatience;
    for (;;) {
        const int64_t left = end - now_in_milliseconds();
        pollfd waiting{fd, POLLIN, 0};
        const int ready = left > 0 ? poll(&waiting, 1, static_cast<int>(left)) : 0;
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        const ssize_t got = ready > 0 ? read(fd, buffer.data(), buffer.size()) : -1;
        if (got == 0) {
            return answer;
        }
        if (got > 0) {
            answer.append(buffer.data(), static_cast<size_t>(got));
        }
        if (got < 0 || answer.size() > kLongestLayoutText) {
            (void)process.send_signal(SIGKILL);
            (void)process.wait();
            throw Error(got < 0 ? "looking into it takes longer than 30 seconds" : "looking into it has no end");
        }
    }
}

} // namespace

DiskLayout look_into_image(int image) {
    const std::string worker = find_worker();
    std::array<int, 2> ends{-1, -1};
    check(pipe2(ends.data(), O_CLOEXEC), "pipe2").or_throw("");
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    const Pidfd process = clone_process({}).or_throw("starting nspawn-dissect");
    if (!process.valid()) {
        become_worker(worker, "probe", image, writing.get());
    }
    writing.reset();
    const std::string answer = read_answer(reading.get(), process);
    const ProcessEnd end = process.wait().or_throw("waiting for nspawn-dissect");
    if (!end.exited || end.status != 0) {
        throw Error(end.exited ? fmt::format("{} failed ({})", worker, end.status)
                               : fmt::format("{} was killed by signal {} while it looked into it", worker, end.signal));
    }
    return parse_layout(answer);
}

} // namespace nspawn
