#include "base/file.hpp"
#include "linux/pty.hpp"
#include "run/console.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {
namespace {

Pty make_pty() {
    const UniqueFd devpts(open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC));
    return open_pty(devpts.get()).or_throw("test");
}

void set_mode(int fd, bool raw) {
    termios mode{};
    ASSERT_EQ(tcgetattr(fd, &mode), 0);
    if (raw) {
        cfmakeraw(&mode);
    }
    ASSERT_EQ(tcsetattr(fd, TCSANOW, &mode), 0);
}

termios mode_of(int fd) {
    termios mode{};
    EXPECT_EQ(tcgetattr(fd, &mode), 0);
    return mode;
}

void set_blocking(int fd, bool blocking) {
    const int flags = fcntl(fd, F_GETFL);
    ASSERT_EQ(fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), 0);
}

// All that can be read now.
std::string take(int fd) {
    std::string text;
    char buffer[4096];
    for (ssize_t count = 0; (count = read(fd, buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<size_t>(count));
    }
    return text;
}

std::string pattern(size_t size) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>((i * 7 + i / 251) & 0xff);
    }
    return text;
}

// The caller has a terminal (`caller`: the master is keyboard and screen), the container has one, too.
class ConsoleTest : public testing::Test {
protected:
    void SetUp() override {
        sigset_t lost_output; // as the supervisor does
        sigemptyset(&lost_output);
        sigaddset(&lost_output, SIGPIPE);
        sigaddset(&lost_output, SIGXFSZ);
        sigprocmask(SIG_BLOCK, &lost_output, nullptr);
        caller_ = make_pty();
        container_ = make_pty();
        options_.mode = ConsoleMode::interactive;
        options_.input = caller_.slave.get();
        options_.output = caller_.slave.get();
        options_.terminal = {};
    }

    Console& start() {
        console_ = std::make_unique<Console>(loop_, options_);
        console_->on_kill([this] { ++kills_; });
        console_->on_reboot([this] { ++reboots_; });
        console_->on_poweroff([this] { ++poweroffs_; });
        set_mode(container_.slave.get(), true);
        set_blocking(container_.slave.get(), false);
        EXPECT_TRUE(console_->attach(std::move(container_.master)).ok());
        return *console_;
    }
    // Turns the loop until `done`; false when it never comes true. `patience` is how long each turn may wait: not at
    // all where `done` itself does the other side's work.
    bool until(const std::function<bool()>& done, EventLoop::Duration patience = EventLoop::Duration(20)) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline) {
                return false;
            }
            loop_.run_once(patience).or_throw("test");
        }
        return true;
    }
    // The loop sleeps instead of turning around itself.
    bool is_idle() {
        int turns = 0;
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(60);
        while (std::chrono::steady_clock::now() < end) {
            loop_.run_once(EventLoop::Duration(30)).or_throw("test");
            ++turns;
        }
        return turns < 20;
    }
    void type(const std::string& keys) const {
        ASSERT_EQ(write(caller_.master.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
    }
    void print(const std::string& text) const {
        ASSERT_EQ(write(container_.slave.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    bool screen_shows(const std::string& text) {
        return until([&] {
            screen_ += take(caller_.master.get());
            return screen_.find(text) != std::string::npos;
        });
    }
    bool container_gets(const std::string& text) {
        return until([&] {
            received_ += take(container_.slave.get());
            return received_.find(text) != std::string::npos;
        });
    }
    // Sends all of `data` through the container's terminal while the loop turns.
    void print_all(const std::string& data, const std::function<void()>& meanwhile) {
        size_t sent = 0;
        const auto step = [&] {
            const ssize_t count = write(container_.slave.get(), data.data() + sent, data.size() - sent);
            sent += count > 0 ? static_cast<size_t>(count) : 0;
            meanwhile();
            return sent == data.size();
        };
        ASSERT_TRUE(until(step, EventLoop::Duration(0)));
    }

    EventLoop loop_ = EventLoop::create().or_throw("test");
    ConsoleOptions options_;
    Pty caller_;
    Pty container_;
    std::unique_ptr<Console> console_;
    std::string screen_;
    std::string received_;
    int kills_ = 0;
    int reboots_ = 0;
    int poweroffs_ = 0;
};

TEST_F(ConsoleTest, CarriesBothWays) {
    start();
    print("login: ");
    EXPECT_TRUE(screen_shows("login: "));
    type("root\r");
    EXPECT_TRUE(container_gets("root\r"));
}

TEST_F(ConsoleTest, EveryKeyReachesTheContainer) {
    start();
    std::string keys;
    for (int c = 0; c < 256; ++c) {
        keys += static_cast<char>(c);
    }
    type(keys);
    ASSERT_TRUE(until([&] { return (received_ += take(container_.slave.get())).size() >= keys.size(); }));
    EXPECT_EQ(received_, keys);
}

TEST_F(ConsoleTest, TheTerminalIsRawInBetweenAndAsBeforeAfterwards) {
    const termios before = mode_of(caller_.slave.get());
    Console& console = start();
    EXPECT_EQ(mode_of(caller_.slave.get()).c_lflag & (ECHO | ICANON | ISIG), 0U);
    EXPECT_EQ(mode_of(caller_.slave.get()).c_oflag & OPOST, 0U);
    console.finish();
    const termios after = mode_of(caller_.slave.get());
    EXPECT_EQ(after.c_lflag, before.c_lflag);
    EXPECT_EQ(after.c_iflag, before.c_iflag);
    EXPECT_EQ(after.c_oflag, before.c_oflag);
    console.finish();
}

TEST_F(ConsoleTest, TheTerminalIsRestoredWithoutFinishToo) {
    const termios before = mode_of(caller_.slave.get());
    options_.terminal.is_capable = true;
    options_.machine = "web";
    start();
    EXPECT_TRUE(screen_shows("Container web"));
    console_.reset();
    EXPECT_EQ(mode_of(caller_.slave.get()).c_lflag, before.c_lflag);
    EXPECT_NE(take(caller_.master.get()).find("\x1b[23;0t"), std::string::npos);
}

TEST_F(ConsoleTest, TheCallersDescriptorsStayBlocking) {
    start();
    print("x");
    EXPECT_TRUE(screen_shows("x"));
    EXPECT_EQ(fcntl(caller_.slave.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(ConsoleTest, TheWindowSizeFollows) {
    winsize size{};
    size.ws_row = 31;
    size.ws_col = 101;
    ASSERT_TRUE(set_window_size(caller_.master.get(), size).ok());
    Console& console = start();
    EXPECT_EQ(window_size(container_.slave.get()).or_throw("test").ws_col, 101);
    size.ws_col = 77;
    ASSERT_TRUE(set_window_size(caller_.master.get(), size).ok());
    console.window_changed();
    EXPECT_EQ(window_size(container_.slave.get()).or_throw("test").ws_col, 77);
}

TEST_F(ConsoleTest, AfterAStopTheTerminalIsRawAgainAndTheSizeIsSentAgain) {
    const termios before = mode_of(caller_.slave.get());
    Console& console = start();
    const termios raw = mode_of(caller_.slave.get());
    ASSERT_EQ(tcsetattr(caller_.slave.get(), TCSANOW, &before), 0); // as the shell does
    const winsize size{.ws_row = 33, .ws_col = 99, .ws_xpixel = 0, .ws_ypixel = 0};
    ASSERT_TRUE(set_window_size(caller_.slave.get(), size).ok());
    console.resumed();
    EXPECT_EQ(mode_of(caller_.slave.get()).c_lflag, raw.c_lflag);
    EXPECT_EQ(mode_of(caller_.slave.get()).c_oflag, raw.c_oflag);
    EXPECT_EQ(window_size(container_.slave.get()).or_throw("test").ws_col, 99);
    console.finish();
    EXPECT_EQ(mode_of(caller_.slave.get()).c_lflag, before.c_lflag);
    EXPECT_EQ(mode_of(caller_.slave.get()).c_oflag, before.c_oflag);
    console.resumed(); // too late to change anything
    EXPECT_EQ(mode_of(caller_.slave.get()).c_lflag, before.c_lflag);
}

TEST_F(ConsoleTest, TheKeysForTheSupervisor) {
    start();
    type("a\x1d\x1d\x1d");
    EXPECT_TRUE(until([this] { return kills_ == 1; }));
    type("\x1d\x1drb");
    EXPECT_TRUE(until([this] { return reboots_ == 1; }));
    type("\x1d\x1dp");
    EXPECT_TRUE(until([this] { return poweroffs_ == 1; }));
    EXPECT_TRUE(container_gets("b\x1d\x1d"));
    EXPECT_EQ(received_, "a\x1d\x1d\x1d\x1d"
                         "b\x1d\x1d")
        << "the completing keys are kept, all others arrive";
}

TEST_F(ConsoleTest, ReadOnlyIgnoresKeysAndLeavesTheTerminalAlone) {
    options_.mode = ConsoleMode::read_only;
    const termios before = mode_of(caller_.slave.get());
    start();
    EXPECT_EQ(mode_of(caller_.slave.get()).c_lflag, before.c_lflag);
    type("\x1d\x1d\x1dkeys\r");
    print("output");
    EXPECT_TRUE(screen_shows("output"));
    EXPECT_EQ(take(container_.slave.get()), "");
    EXPECT_EQ(kills_, 0);
}

TEST_F(ConsoleTest, PassiveKeepsThePayloadWritingAndShowsNothing) {
    options_.mode = ConsoleMode::passive;
    start();
    print_all(pattern(300000), [] {});
    EXPECT_EQ(take(caller_.master.get()), "");
}

TEST_F(ConsoleTest, WithoutAnybodyOnTheOtherSideTheLoopIsIdle) {
    start();
    print("bye");
    EXPECT_TRUE(screen_shows("bye"));
    const std::string path = ttyname(container_.slave.get());
    container_.slave.reset(); // hung up from here on
    EXPECT_TRUE(is_idle());
    // A getty comes along.
    container_.slave.reset(open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    ASSERT_TRUE(container_.slave.valid());
    print("again");
    EXPECT_TRUE(screen_shows("again"));
    type("k");
    EXPECT_TRUE(container_gets("k"));
}

// What a getty does before it asks for a name: everybody else loses the terminal.
void hang_up_and_greet(int terminal, const std::string& path) {
    // The hangup is for the whole session, and the session's leader is told.
    signal(SIGHUP, SIG_IGN);
    if (setsid() < 0 || ioctl(terminal, TIOCSCTTY, 1) < 0 || vhangup() < 0) {
        _exit(1);
    }
    const UniqueFd fresh(open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (write(fresh.get(), "login: ", 7) != 7) {
        _exit(2);
    }
    char key = 0;
    const bool got = read(fresh.get(), &key, 1) == 1 && key == 'k';
    _exit(got && write(fresh.get(), "hello", 5) == 5 ? 0 : 3);
}

TEST_F(ConsoleTest, AHangupInTheContainerIsSurvived) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "vhangup(2) is for root";
    }
    start();
    const std::string path = ttyname(container_.slave.get());
    const pid_t getty = fork();
    if (getty == 0) {
        hang_up_and_greet(container_.slave.get(), path);
    }
    EXPECT_TRUE(screen_shows("login: "));
    type("k\r");
    EXPECT_TRUE(screen_shows("hello"));
    int status = -1;
    waitpid(getty, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST_F(ConsoleTest, AnotherContainersTerminalTakesOver) {
    Console& console = start();
    print("first\r\n");
    container_ = make_pty();
    set_mode(container_.slave.get(), true);
    set_blocking(container_.slave.get(), false);
    ASSERT_TRUE(console.attach(std::move(container_.master)).ok());
    print("second");
    EXPECT_TRUE(screen_shows("second"));
    EXPECT_EQ(screen_, "first\r\nsecond") << "nothing of the first one is lost";
    type("k");
    EXPECT_TRUE(container_gets("k"));
}

TEST_F(ConsoleTest, MuchInputArrivesExactlyEvenAtASlowContainer) {
    start();
    // The terminal's own line buffer drops what nobody reads, so that the keyboard must be patient as well.
    const std::string data = pattern(200000);
    std::string clean;
    for (const char c : data) {
        clean += c == '\x1d' ? '.' : c;
    }
    set_blocking(caller_.master.get(), false);
    size_t sent = 0;
    const auto step = [&] {
        const ssize_t count =
            write(caller_.master.get(), clean.data() + sent, std::min<size_t>(1000, clean.size() - sent));
        sent += count > 0 ? static_cast<size_t>(count) : 0;
        char few[700];
        const ssize_t got = read(container_.slave.get(), few, sizeof few);
        received_.append(few, got > 0 ? static_cast<size_t>(got) : 0);
        return received_.size() >= clean.size();
    };
    ASSERT_TRUE(until(step, EventLoop::Duration(0)));
    EXPECT_TRUE(received_ == clean);
}

// Output to something that is no terminal.
class ConsoleToPipe : public ConsoleTest {
protected:
    void SetUp() override {
        ConsoleTest::SetUp();
        int ends[2] = {-1, -1};
        ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
        read_end_.reset(ends[0]);
        write_end_.reset(ends[1]);
        set_blocking(read_end_.get(), false);
        options_.mode = ConsoleMode::read_only;
        options_.output = write_end_.get();
    }
    // The container writes until the pipe and its own terminal are full. (The terminal alone may refuse for a moment:
    // the kernel moves its bytes in a thread of its own.)
    void fill() {
        const std::string data = pattern(20000);
        ASSERT_TRUE(until(
            [&] {
                pollfd pipe{write_end_.get(), POLLOUT, 0};
                const bool refused = write(container_.slave.get(), data.data(), data.size()) < 0;
                return refused && poll(&pipe, 1, 0) == 0;
            },
            EventLoop::Duration(0)));
    }

    UniqueFd read_end_;
    UniqueFd write_end_;
};

TEST_F(ConsoleToPipe, MuchOutputArrivesExactlyEvenAtASlowReader) {
    Console& console = start();
    const std::string data = pattern(1 << 20);
    std::string seen;
    size_t turn = 0;
    print_all(data, [&] {
        if (++turn % 8 == 0) { // the pipe is full most of the time
            char some[5000];
            const ssize_t count = read(read_end_.get(), some, sizeof some);
            seen.append(some, count > 0 ? static_cast<size_t>(count) : 0);
        }
    });
    container_.slave.reset();
    // A reader beside us, as finish() waits for it.
    struct {
        int fd;
        std::string& seen;
    } reader{read_end_.get(), seen};
    ASSERT_TRUE(loop_.watch(reader.fd, EPOLLIN, [&reader](uint32_t) { reader.seen += take(reader.fd); }).ok());
    console.finish();
    seen += take(read_end_.get());
    EXPECT_EQ(seen.size(), data.size());
    EXPECT_TRUE(seen == data) << "and nothing was added at the end";
}

TEST_F(ConsoleToPipe, WaitingForASlowReaderAndHavingWaitedCostsNothing) {
    start();
    fill();
    EXPECT_TRUE(is_idle());
    EXPECT_TRUE(until([this] { return take(read_end_.get()).empty(); }));
    EXPECT_TRUE(is_idle());
}

TEST_F(ConsoleToPipe, ACallerThatHungUpWhileTheContainerIsBusyCostsNothing) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd input(ends[0]);
    UniqueFd caller(ends[1]);
    ASSERT_TRUE(write_all(caller.get(), std::string(60000, 'x')).ok());
    caller.reset();
    options_.mode = ConsoleMode::interactive;
    options_.input = input.get();
    start();
    EXPECT_TRUE(is_idle()) << "the container reads nothing, and the pipe says all the time that it was hung up";
    EXPECT_TRUE(until([this] { return (received_ += take(container_.slave.get())).size() == 60000; }));
}

TEST_F(ConsoleToPipe, GivingUpEndsTheWaitForAReaderThatSleeps) {
    Console& console = start();
    fill();
    ASSERT_TRUE(loop_.start_timer(EventLoop::Duration(10), [&console] { console.give_up(); }).ok());
    console.finish();
}

TEST_F(ConsoleToPipe, SoDoTheKeysThatKill) {
    options_.mode = ConsoleMode::interactive;
    Console& console = start();
    fill();
    type("\x1d\x1d\x1d");
    console.finish();
    EXPECT_EQ(kills_, 1);
}

TEST_F(ConsoleToPipe, AReaderThatLeftIsReportedOnceAndSurvived) {
    Console& console = start();
    int reports = 0;
    console.on_output_closed([&reports] { ++reports; });
    read_end_.reset();
    print_all(pattern(300000), [] {});
    console.finish();
    EXPECT_EQ(reports, 1);
}

TEST_F(ConsoleToPipe, AFullDiskIsSurvived) {
    const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
    options_.output = full.get();
    Console& console = start();
    bool closed = false;
    console.on_output_closed([&closed] { closed = true; });
    print_all(pattern(300000), [] {});
    console.finish();
    EXPECT_FALSE(closed) << "there may be room again";
}

TEST_F(ConsoleToPipe, ClosedStreamsAreSurvived) {
    options_.mode = ConsoleMode::interactive;
    options_.input = -1;
    options_.output = -1;
    start();
    print_all(pattern(300000), [] {});
    console_->finish();
}

TEST_F(ConsoleToPipe, AFileGetsEverythingAndNothingMore) {
    const UniqueFd file(open(testing::TempDir().c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
    options_.output = file.get();
    start();
    const std::string data = pattern(100000) + "no newline";
    print_all(data, [] {});
    console_->finish();
    ASSERT_EQ(lseek(file.get(), 0, SEEK_SET), 0);
    EXPECT_TRUE(read_all(file.get(), 1 << 20).or_throw("test") == data);
}

TEST_F(ConsoleToPipe, InputFromAFileEndsWithoutEndingTheContainer) {
    const UniqueFd file(open(testing::TempDir().c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
    const std::string data = "\x1d\x1d\x1d" + std::string(50000, 'x') + "end";
    ASSERT_TRUE(write_all(file.get(), data).ok());
    ASSERT_EQ(lseek(file.get(), 0, SEEK_SET), 0);
    options_.mode = ConsoleMode::interactive;
    options_.input = file.get();
    start();
    EXPECT_TRUE(container_gets("end"));
    EXPECT_TRUE(received_ == data);
    EXPECT_EQ(kills_, 0) << "bytes of a file are no keys";
    print("still here");
    EXPECT_TRUE(until([this] { return take(read_end_.get()) == "still here"; }));
}

TEST_F(ConsoleTest, ALineThatWasNotEndedIsEndedOnATerminal) {
    Console& console = start();
    print("prompt$ ");
    EXPECT_TRUE(screen_shows("prompt$ "));
    console.finish();
    EXPECT_EQ(take(caller_.master.get()), "\r\n");
}

TEST_F(ConsoleTest, ALineThatWasEndedIsLeftAlone) {
    Console& console = start();
    print("done\r\n");
    EXPECT_TRUE(screen_shows("done\r\n"));
    console.finish();
    EXPECT_EQ(take(caller_.master.get()), "");
}

TEST_F(ConsoleTest, WhatWasWrittenJustBeforeTheEndComesOut) {
    Console& console = start();
    print("last words\r\n");
    container_.slave.reset();
    console.finish();
    EXPECT_EQ(take(caller_.master.get()), "last words\r\n");
}

TEST_F(ConsoleTest, AnswersToTheContainersQuestionsDoNotReachTheShell) {
    set_mode(caller_.slave.get(), true); // so that the shell would see them without a line's end
    Console& console = start();
    type("\x1b]l; rm -rf ~\x1b\\"); // in flight while the console ends
    console.finish();
    set_blocking(caller_.slave.get(), false);
    EXPECT_EQ(take(caller_.slave.get()), "");
}

TEST_F(ConsoleTest, TitleAndTintAreUndone) {
    options_.terminal.is_capable = true;
    options_.terminal.colors = TerminalTraits::Colors::all;
    options_.machine = "web";
    options_.host = "here";
    options_.background = "44";
    Console& console = start();
    print("a\x1b[0mb\r\n");
    EXPECT_TRUE(screen_shows("b\r\n"));
    EXPECT_EQ(screen_, "\x1b[22;0t\x1b]0;Container web on here\a\x1b[44m\x1b[Ja\x1b[0m\x1b[44mb\r\n");
    console.finish();
    EXPECT_EQ(take(caller_.master.get()), "\x1b[0m\x1b[J\x1b]0;\a\x1b[23;0t");
}

TEST_F(ConsoleTest, MuchTintedOutputLosesNothing) {
    options_.terminal.is_capable = true;
    options_.terminal.colors = TerminalTraits::Colors::all;
    options_.title = false;
    options_.background = "48;2;100;100;100";
    start();
    std::string data;
    std::string expected = "\x1b[48;2;100;100;100m\x1b[J";
    for (int i = 0; i < 20000; ++i) {
        data += "\x1b[m";
        expected += "\x1b[m\x1b[48;2;100;100;100m";
    }
    set_blocking(caller_.master.get(), false);
    print_all(data, [this] { screen_ += take(caller_.master.get()); });
    ASSERT_TRUE(until([&] { return (screen_ += take(caller_.master.get())).size() >= expected.size(); }));
    EXPECT_TRUE(screen_ == expected);
}

TEST_F(ConsoleTest, ADumbTerminalGetsNothingButTheOutput) {
    options_.background = "44";
    Console& console = start();
    print("plain\x1b[0m\r\n");
    EXPECT_TRUE(screen_shows("\r\n"));
    console.finish();
    EXPECT_EQ(screen_ + take(caller_.master.get()), "plain\x1b[0m\r\n");
}

} // namespace
} // namespace nspawn
