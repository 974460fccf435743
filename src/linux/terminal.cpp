#include "linux/terminal.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace nspawn {

namespace {

void make_input_raw(termios& mode) {
    mode.c_iflag &= ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    mode.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    mode.c_cflag &= ~static_cast<tcflag_t>(CSIZE | PARENB);
    mode.c_cflag |= CS8;
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
}

void make_output_raw(termios& mode) { mode.c_oflag &= ~static_cast<tcflag_t>(OPOST); }

} // namespace

bool is_terminal(int fd) {
    termios mode{};
    return tcgetattr(fd, &mode) == 0;
}

Result<winsize> window_size(int fd) {
    winsize size{};
    if (ioctl(fd, TIOCGWINSZ, &size) < 0) {
        return last_error("TIOCGWINSZ");
    }
    return size;
}

Result<void> set_window_size(int fd, const winsize& size) { return check(ioctl(fd, TIOCSWINSZ, &size), "TIOCSWINSZ"); }

void discard_input(int fd) {
    // Fails only when the terminal is gone, and the input with it.
    [[maybe_unused]] const int ignored = tcflush(fd, TCIFLUSH);
}

namespace {

// The mode from before.
Result<termios> change_mode(int fd, void (*edit)(termios&)) {
    termios before{};
    if (tcgetattr(fd, &before) < 0) {
        return last_error("tcgetattr");
    }
    termios wanted = before;
    edit(wanted);
    // At once: waiting for output to drain would block on a terminal that was stopped with ^S.
    if (tcsetattr(fd, TCSANOW, &wanted) < 0) {
        return last_error("tcsetattr");
    }
    return before;
}

} // namespace

Result<TerminalMode> TerminalMode::change(int fd, Edit edit) {
    UniqueFd own(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!own) {
        return last_error("fcntl");
    }
    const Result<termios> saved = change_mode(own.get(), edit);
    return saved.ok() ? Result(TerminalMode(std::move(own), saved.value(), edit)) : saved.system_error();
}

Result<void> TerminalMode::renew() {
    // Fails for a terminal that is not our session's: nobody's jobs are controlled there.
    const pid_t foreground = tcgetpgrp(fd_.get());
    if (foreground >= 0 && foreground != getpgrp()) {
        return {};
    }
    return change_mode(fd_.get(), edit_).system_error();
}

Result<TerminalMode> TerminalMode::raw_input(int fd) { return change(fd, make_input_raw); }

Result<TerminalMode> TerminalMode::raw_output(int fd) { return change(fd, make_output_raw); }

void TerminalMode::restore() {
    if (!fd_.valid()) {
        return;
    }
    // Blocked, SIGTTOU lets a process group in the background set the mode instead of stopping it (tcsetattr(3)).
    sigset_t background_write;
    sigset_t previous;
    sigemptyset(&background_write);
    sigaddset(&background_write, SIGTTOU);
    sigprocmask(SIG_BLOCK, &background_write, &previous);
    // Fails only when the terminal is gone, and then there is nothing to restore.
    [[maybe_unused]] const int ignored = tcsetattr(fd_.get(), TCSANOW, &saved_);
    sigprocmask(SIG_SETMASK, &previous, nullptr);
    fd_.reset();
}

} // namespace nspawn
