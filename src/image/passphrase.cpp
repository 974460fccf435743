#include "image/passphrase.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/path.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kLongest = 65536;
constexpr char kInterrupt = 0x03; // Ctrl-C, as a character

// The terminal as it was, whatever happens in between.
class SilentTerminal {
public:
    explicit SilentTerminal(int fd) : fd_(fd) {
        if (tcgetattr(fd, &before_) < 0) {
            return;
        }
        termios silent = before_;
        // Signals off too: one that ended us here would leave the terminal without its echo.
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
        silent.c_lflag |= ECHONL | ICANON;
        silent.c_cc[VEOL] = kInterrupt; // read at once, not with the end of the line
        changed_ = tcsetattr(fd, TCSAFLUSH, &silent) == 0;
    }
    SilentTerminal(const SilentTerminal&) = delete;
    SilentTerminal& operator=(const SilentTerminal&) = delete;
    ~SilentTerminal() {
        if (changed_) {
            tcsetattr(fd_, TCSAFLUSH, &before_);
        }
    }
    [[nodiscard]] bool is_silent() const { return changed_; }

private:
    int fd_;
    termios before_{};
    bool changed_ = false;
};

} // namespace

std::optional<std::string> passphrase_credential() {
    const char* const directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr || !is_absolute(directory)) {
        return std::nullopt;
    }
    const std::string path = join(directory, "dissect.passphrase");
    Result<std::string> content = read_file(AT_FDCWD, path.c_str(), kLongest);
    if (content.error() == ENOENT) {
        return std::nullopt;
    }
    return std::move(content).or_throw(path);
}

std::optional<std::string> ask_passphrase(const std::string& question) {
    const SilentTerminal terminal(STDIN_FILENO);
    if (!terminal.is_silent()) {
        return std::nullopt;
    }
    write_all(STDERR_FILENO, question).or_throw("standard error");
    std::string answer;
    char c = 0;
    while (answer.size() < kLongest) {
        const ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0 || c == kInterrupt) {
            return std::nullopt;
        }
        if (c == '\n') {
            return answer;
        }
        answer += c;
    }
    return std::nullopt;
}

} // namespace nspawn
