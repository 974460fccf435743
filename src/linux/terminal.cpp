#include "linux/terminal.hpp"

#include <fcntl.h>
#include <signal.h>

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

Result<TerminalMode> TerminalMode::change(int fd, void (*edit)(termios&)) {
    UniqueFd own(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!own) {
        return last_error("fcntl");
    }
    termios saved{};
    if (tcgetattr(own.get(), &saved) < 0) {
        return last_error("tcgetattr");
    }
    termios wanted = saved;
    edit(wanted);
    // At once: waiting for output to drain would block on a terminal that was stopped with ^S.
    if (tcsetattr(own.get(), TCSANOW, &wanted) < 0) {
        return last_error("tcsetattr");
    }
    return TerminalMode(std::move(own), saved);
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
