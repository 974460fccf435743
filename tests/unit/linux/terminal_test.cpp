#include "linux/pty.hpp"
#include "linux/terminal.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {
namespace {

Pty make_pty() {
    const UniqueFd devpts(open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC));
    return open_pty(devpts.get()).or_throw("test");
}

termios mode_of(int fd) {
    termios mode{};
    EXPECT_EQ(tcgetattr(fd, &mode), 0);
    return mode;
}

bool same_mode(const termios& a, const termios& b) {
    return a.c_iflag == b.c_iflag && a.c_oflag == b.c_oflag && a.c_cflag == b.c_cflag && a.c_lflag == b.c_lflag &&
           std::memcmp(a.c_cc, b.c_cc, sizeof a.c_cc) == 0;
}

TEST(Terminal, TellsTerminalsFromOtherFiles) {
    const Pty pty = make_pty();
    const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_TRUE(is_terminal(pty.slave.get()));
    EXPECT_FALSE(is_terminal(null.get()));
    EXPECT_FALSE(is_terminal(-1));
}

TEST(Terminal, TheWindowSizeIsCopied) {
    const Pty pty = make_pty();
    winsize size{};
    size.ws_row = 43;
    size.ws_col = 132;
    ASSERT_TRUE(set_window_size(pty.master.get(), size).ok());
    const winsize seen = window_size(pty.slave.get()).or_throw("test");
    EXPECT_EQ(seen.ws_row, 43);
    EXPECT_EQ(seen.ws_col, 132);
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd read_end(ends[0]);
    const UniqueFd write_end(ends[1]);
    EXPECT_EQ(window_size(read_end.get()).error(), ENOTTY);
}

TEST(Terminal, RawInputTakesAwayEchoLinesAndSignals) {
    const Pty pty = make_pty();
    const termios before = mode_of(pty.slave.get());
    {
        const TerminalMode raw = TerminalMode::raw_input(pty.slave.get()).or_throw("test");
        const termios inside = mode_of(pty.slave.get());
        EXPECT_EQ(inside.c_lflag & (ECHO | ICANON | ISIG | IEXTEN), 0U);
        EXPECT_EQ(inside.c_iflag & (ICRNL | IXON | ISTRIP), 0U);
        EXPECT_EQ(inside.c_oflag, before.c_oflag);
    }
    EXPECT_TRUE(same_mode(mode_of(pty.slave.get()), before));
}

TEST(Terminal, RawOutputLeavesTheInputAlone) {
    const Pty pty = make_pty();
    const termios before = mode_of(pty.slave.get());
    const TerminalMode raw = TerminalMode::raw_output(pty.slave.get()).or_throw("test");
    EXPECT_EQ(mode_of(pty.slave.get()).c_oflag & OPOST, 0U);
    EXPECT_EQ(mode_of(pty.slave.get()).c_lflag, before.c_lflag);
}

TEST(Terminal, TheModeIsRestoredWhenAnExceptionPasses) {
    const Pty pty = make_pty();
    const termios before = mode_of(pty.slave.get());
    try {
        const TerminalMode input = TerminalMode::raw_input(pty.slave.get()).or_throw("test");
        const TerminalMode output = TerminalMode::raw_output(pty.slave.get()).or_throw("test");
        throw std::runtime_error("on the way out");
    } catch (const std::runtime_error&) {
    }
    EXPECT_TRUE(same_mode(mode_of(pty.slave.get()), before));
}

TEST(Terminal, RestoringIsDoneOnce) {
    const Pty pty = make_pty();
    TerminalMode raw = TerminalMode::raw_input(pty.slave.get()).or_throw("test");
    TerminalMode moved = std::move(raw);
    moved.restore();
    termios later = mode_of(pty.slave.get());
    later.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ASSERT_EQ(tcsetattr(pty.slave.get(), TCSANOW, &later), 0);
    moved.restore();
    EXPECT_EQ(mode_of(pty.slave.get()).c_lflag & ECHO, 0U) << "somebody else's later change must stay";
}

TEST(Terminal, TheModeIsRestoredEvenAfterTheCallerClosedItsDescriptor) {
    Pty pty = make_pty();
    const UniqueFd witness(open_pty_peer(pty.master.get()).or_throw("test"));
    const termios before = mode_of(witness.get());
    TerminalMode raw = TerminalMode::raw_input(pty.slave.get()).or_throw("test");
    pty.slave.reset();
    raw.restore();
    EXPECT_TRUE(same_mode(mode_of(witness.get()), before));
}

// In a session of its own: a background process group changes the mode of its controlling terminal.
int restore_from_background() {
    Pty pty = make_pty();
    if (setsid() < 0 || ioctl(pty.slave.get(), TIOCSCTTY, 0) < 0) {
        return 10;
    }
    const termios before = mode_of(pty.slave.get());
    TerminalMode raw = TerminalMode::raw_input(pty.slave.get()).or_throw("test");
    const pid_t other = fork();
    if (other == 0) {
        setpgid(0, 0);
        pause();
    }
    setpgid(other, other);
    if (tcsetpgrp(pty.slave.get(), other) < 0) {
        return 11;
    }
    raw.restore(); // would stop us with SIGTTOU
    const bool restored = same_mode(mode_of(pty.slave.get()), before);
    kill(other, SIGKILL);
    waitpid(other, nullptr, 0);
    return restored ? 0 : 12;
}

TEST(Terminal, RestoringWorksFromABackgroundProcessGroup) {
    const pid_t child = fork();
    if (child == 0) {
        // Dying with the session leader must not depend on the terminal's hangup.
        signal(SIGHUP, SIG_IGN);
        _exit(restore_from_background());
    }
    int status = 0;
    // WUNTRACED: a stopped child is the failure this test is about.
    ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
    if (WIFSTOPPED(status)) {
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        FAIL() << "stopped by signal " << WSTOPSIG(status);
    }
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

} // namespace
} // namespace nspawn
