#include "image/dissect_worker.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "image/worker_program.hpp"
#include "linux/process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr const char* kName = "nspawn-dissect";
constexpr int kProbePatience = 30; // seconds

[[noreturn]] void become_worker(const std::string& path, const char* verb, int input, int output, bool die_with_us) {
    // Above the standard streams first: either may be one of them already.
    const int high_input = fcntl(input, F_DUPFD, 10);
    const int high_output = fcntl(output, F_DUPFD, 10);
    if ((!die_with_us || prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) && dup2(high_input, STDIN_FILENO) >= 0 &&
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

struct Pipe {
    UniqueFd reading;
    UniqueFd writing;
};

Pipe make_pipe() {
    std::array<int, 2> ends{-1, -1};
    check(pipe2(ends.data(), O_CLOEXEC), "pipe2").or_throw("");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// One run of the program. Ends with the object: by itself when it is well, or by force.
class Worker {
public:
    Worker(const char* verb, int input, bool die_with_us) : path_(find_worker(kName, "disk images")) {
        Pipe pipe = make_pipe();
        answers_ = std::move(pipe.reading);
        process_ = clone_process({}).or_throw("starting nspawn-dissect");
        if (!process_.valid()) {
            become_worker(path_, verb, input, pipe.writing.get(), die_with_us);
        }
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker() {
        if (process_.valid()) {
            (void)process_.send_signal(SIGKILL);
            (void)process_.wait();
        }
    }

    // To end of file, or to the end of the first line; within bounds of size and of time, `patience` in seconds.
    std::string read_answer(bool one_line, int patience) const {
        std::string answer;
        std::array<char, 4096> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
        const int64_t end = now_in_milliseconds() + int64_t{patience} * 1000;
        while (!(one_line && answer.ends_with('\n'))) {
            const int64_t left = end - now_in_milliseconds();
            pollfd waiting{answers_.get(), POLLIN, 0};
            const int ready = left > 0 ? poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left, INT_MAX))) : 0;
            if (ready < 0 && errno == EINTR) {
                continue;
            }
            const ssize_t got = ready > 0 ? read(answers_.get(), buffer.data(), buffer.size()) : -1;
            if (got == 0) {
                break;
            }
            if (got < 0) {
                throw Error(fmt::format("{} does not answer within {} seconds", path_, patience));
            }
            answer.append(buffer.data(), static_cast<size_t>(got));
            if (answer.size() > kLongestLayoutText) {
                throw Error(fmt::format("{} answers without end", path_));
            }
        }
        return answer;
    }

    void wait_for_end() {
        const ProcessEnd end = std::exchange(process_, Pidfd()).wait().or_throw("waiting for nspawn-dissect");
        if (!end.exited || end.status != 0) {
            throw Error(end.exited ? fmt::format("{} failed ({})", path_, end.status)
                                   : fmt::format("{} was killed by signal {}", path_, end.signal));
        }
    }

private:
    std::string path_;
    UniqueFd answers_;
    Pidfd process_;
};

} // namespace

DiskLayout look_into_image(int image) {
    Worker worker("probe", image, true);
    const std::string answer = worker.read_answer(false, kProbePatience);
    worker.wait_for_end();
    return parse_layout(answer);
}

std::string find_signer(const SignatureQuestion& question) {
    // A file, so that nobody waits for the other one to read or write.
    const UniqueFd input(memfd_create("question", MFD_CLOEXEC));
    check(input.get(), "memfd_create").or_throw("asking nspawn-dissect");
    write_all(input.get(), question_as_text(question)).or_throw("asking nspawn-dissect");
    check(lseek(input.get(), 0, SEEK_SET), "lseek").or_throw("asking nspawn-dissect");
    Worker worker("verify", input.get(), true);
    const std::string line = worker.read_answer(true, kProbePatience);
    worker.wait_for_end();
    return parse_signature_answer(std::string_view(line).substr(0, line.find('\n')));
}

UniqueFd unlock_device(const UnlockRequest& request, int patience) {
    Pipe questions = make_pipe();
    // Not to be killed with us: it takes the device down when its input ends.
    Worker worker("unlock", questions.reading.get(), false);
    questions.reading.reset();
    write_all(questions.writing.get(), request_as_text(request)).or_throw("asking nspawn-dissect");
    const std::string line = worker.read_answer(true, patience);
    const auto answer = parse_unlock_answer(std::string_view(line).substr(0, line.find('\n')));
    if (!answer) {
        throw Error("nspawn-dissect gives no answer");
    }
    if (answer->outcome == UnlockOutcome::failed) {
        const size_t end = answer->text.find('\n');
        throw Error(printable(answer->text.substr(0, end)),
                    end == std::string::npos ? "" : printable(answer->text.substr(end + 1)));
    }
    UniqueFd device;
    if (answer->outcome == UnlockOutcome::opened) {
        device = open_at(AT_FDCWD, answer->text.c_str(), (request.read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK)
                     .or_throw(printable(answer->text));
    }
    questions.writing.reset(); // we have it: from now on it goes with us
    worker.wait_for_end();
    return device;
}

} // namespace nspawn
