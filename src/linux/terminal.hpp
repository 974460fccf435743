// terminal.hpp — the caller's terminal: mode, size, and a way to use it without side effects.
//
// Owns a terminal's saved mode and puts it back on every way out of a scope. Never asks the terminal a question (an
// answer could fail to come) and never waits for output to drain. Never sets O_NONBLOCK on a descriptor that was
// inherited: the flag lives in the open file description, which the caller's shell shares; see reopen_terminal().
// Source: termios(3), ioctl_tty(2), open(2).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <sys/ioctl.h>
#include <termios.h>

namespace nspawn {

[[nodiscard]] bool is_terminal(int fd);
Result<winsize> window_size(int fd);
Result<void> set_window_size(int fd, const winsize& size);

// The terminal behind `fd` as an open file description of our own, with O_NONBLOCK and O_NOCTTY. `access` is O_RDONLY,
// O_WRONLY or O_RDWR. ENOTTY when `fd` is something else; EACCES where the device belongs to somebody else (after su).
Result<UniqueFd> reopen_terminal(int fd, int access);

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

private:
    TerminalMode(UniqueFd fd, const termios& saved) : fd_(std::move(fd)), saved_(saved) {}
    static Result<TerminalMode> change(int fd, void (*edit)(termios&));

    UniqueFd fd_; // a duplicate, so that the mode can be restored whatever became of the original
    termios saved_;
};

} // namespace nspawn
