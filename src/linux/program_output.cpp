#include "linux/program_output.hpp"

#include "linux/process.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace nspawn {

namespace {

[[noreturn]] void become_program(const std::vector<const char*>& arguments, int output) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDERR_FILENO);
    dup2(output, STDOUT_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    std::array<const char*, 2> environment{"PATH=/usr/bin:/bin", nullptr};
    execve(arguments.front(), const_cast<char**>(arguments.data()), const_cast<char**>(environment.data()));
    _exit(127);
}

Result<std::string> read_in_time(int fd, size_t limit, int patience) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience);
    std::string text;
    std::array<char, 4096> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
        pollfd waiting{fd, POLLIN, 0};
        const int ready = left > 0 ? poll(&waiting, 1, static_cast<int>(left)) : 0;
        if (ready < 0 && errno == EINTR) {
            continue; // a read would wait for ever
        }
        if (ready == 0) {
            return SystemError{ETIMEDOUT, "poll"};
        }
        const ssize_t got = read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno != EINTR) {
            return last_error("read");
        }
        if (got == 0) {
            return text;
        }
        text.append(buffer.data(), static_cast<size_t>(std::max<ssize_t>(got, 0)));
        if (text.size() > limit) {
            return SystemError{EFBIG, "read"};
        }
    }
}

} // namespace

Result<ProgramOutput> read_program(std::initializer_list<std::string> words, size_t limit, int patience) {
    std::vector<const char*> arguments;
    for (const std::string& word : words) {
        arguments.push_back(word.c_str());
    }
    arguments.push_back(nullptr);
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC) < 0) {
        return last_error("pipe2");
    }
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    Result<Pidfd> process = clone_process({});
    if (!process.ok()) {
        return process.system_error();
    }
    if (!process.value().valid()) {
        become_program(arguments, writing.get());
    }
    writing.reset();
    Result<std::string> text = read_in_time(reading.get(), limit, patience);
    if (!text.ok()) {
        (void)process.value().send_signal(SIGKILL);
    }
    const Result<ProcessEnd> end = process.value().wait();
    if (!text.ok() || !end.ok()) {
        return text.ok() ? end.system_error() : text.system_error();
    }
    return ProgramOutput{end.value().exited ? end.value().status : 128 + end.value().signal, std::move(text).value()};
}

} // namespace nspawn
