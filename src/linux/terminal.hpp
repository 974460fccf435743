// terminal.hpp — a terminal's mode and size.
//
// Owns a terminal's saved mode and puts it back on every way out of a scope. Never asks the terminal a question (an
// answer could fail to come) and never waits for output to drain. Source: termios(3), ioctl_tty(2).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <sys/ioctl.h>
#include <termios.h>

namespace nspawn {

[[nodiscard]] bool is_terminal(int fd);
Result<winsize> window_size(int fd);
Result<void> set_window_size(int fd, const winsize& size);
// Throws away what was typed and not read yet.
void discard_input(int fd);

// A terminal's mode, changed for as long as this object lives.
class TerminalMode {
public:
    // Every key reaches us as typed: no echo, no lines, no signals, no flow control.
    static Result<TerminalMode> raw_input(int fd);
    // Every byte reaches the terminal as written.
    static Result<TerminalMode> raw_output(int fd);

    TerminalMode(TerminalMode&&) noexcept = default;
    TerminalMode& operator=(TerminalMode&&) = delete;
    ~TerminalMode() { restore(); }

    // Puts the saved mode back; the second time it does nothing.
    void restore();
    // After somebody else (a shell with job control) has set a mode of its own: makes the change once more. Does
    // nothing while another process group has the terminal.
    Result<void> renew();

private:
    using Edit = void (*)(termios&);
    TerminalMode(UniqueFd fd, const termios& saved, Edit edit) : fd_(std::move(fd)), saved_(saved), edit_(edit) {}
    static Result<TerminalMode> change(int fd, Edit edit);

    UniqueFd fd_; // a duplicate, so that the mode can be restored whatever became of the original
    termios saved_;
    Edit edit_;
};

} // namespace nspawn
