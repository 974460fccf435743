// The stub init as process 1 of a real PID namespace; skipped where none can be made.
#include "base/file.hpp"
#include "linux/pty.hpp"
#include "run/exec_failure.hpp"
#include "run/stub_image.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {
namespace {

const Id128 kUuid = *Id128::parse("0123456789abcdef0123456789abcdef");

struct Pipe {
    UniqueFd read_end;
    UniqueFd write_end;
    Pipe() {
        int ends[2] = {-1, -1};
        EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
        read_end.reset(ends[0]);
        write_end.reset(ends[1]);
    }
    std::string drain() {
        write_end.reset();
        return read_all(read_end.get(), 1 << 20).or_throw("test");
    }
};

class StubInit : public testing::Test {
protected:
    void SetUp() override {
        request_.container_service = "systemd-nspawn";
        request_.container_uuid = kUuid;
        request_.environment = {"PATH=/usr/bin:/bin"};
        const pid_t probe = clone_into_pid_namespace();
        if (probe == 0) {
            _exit(0);
        }
        if (probe < 0) {
            GTEST_SKIP() << "no PID namespace can be made here";
        }
        waitpid(probe, nullptr, 0);
    }
    void TearDown() override {
        if (process_ > 0) {
            kill(process_, SIGKILL);
            waitpid(process_, nullptr, 0);
        }
    }

    static pid_t clone_into_pid_namespace() {
        clone_args arguments{};
        arguments.flags = CLONE_NEWPID | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
        arguments.exit_signal = SIGCHLD;
        return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
    }

    void start(std::vector<std::string> words) {
        request_.words = std::move(words);
        const UniqueFd program = make_stub_image().or_throw("test");
        process_ = clone_into_pid_namespace();
        ASSERT_GE(process_, 0);
        if (process_ == 0) {
            run_child(program.get());
        }
        errors_.write_end.reset();
        output_.write_end.reset();
    }
    [[noreturn]] void run_child(int program) {
        try {
            prctl(PR_SET_PDEATHSIG, SIGKILL); // a test that is killed leaves no container behind
            dup2(terminal_ >= 0 ? terminal_ : open("/dev/null", O_RDONLY), STDIN_FILENO);
            dup2(output_.write_end.get(), STDOUT_FILENO);
            setsid();
            close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
            execute_stub(program, errors_.write_end.get(), request_);
        } catch (const std::exception&) {
            _exit(99);
        }
    }
    void shell(const std::string& script) { start({"sh", "-c", script}); }

    // Output of the payload up to its end.
    std::string output() { return output_.drain(); }
    // One line, when the payload is to go on.
    std::string line() {
        std::string text;
        char c = 0;
        while (read(output_.read_end.get(), &c, 1) == 1 && c != '\n') {
            text += c;
        }
        return text;
    }
    // wait(2) status of the stub init.
    int wait() {
        int status = 0;
        EXPECT_EQ(waitpid(process_, &status, 0), process_);
        process_ = 0;
        return status;
    }
    int exit_status() {
        const int status = wait();
        EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
        return WEXITSTATUS(status);
    }
    int death_signal() {
        const int status = wait();
        EXPECT_TRUE(WIFSIGNALED(status)) << "status " << WEXITSTATUS(status);
        return WTERMSIG(status);
    }
    std::optional<ExecFailure> failure() {
        ExecFailure message{};
        const ssize_t size = read(errors_.read_end.get(), &message, sizeof message);
        return size == static_cast<ssize_t>(sizeof message) ? std::optional(message) : std::nullopt;
    }
    [[nodiscard]] std::string proc_file(const std::string& name) const {
        const UniqueFd file(open(("/proc/" + std::to_string(process_) + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
        return read_all(file.get(), 1 << 16).or_throw(name);
    }

    // Letter of proc(5); '-' before there is one.
    [[nodiscard]] char state_of_payload() const {
        const std::string children = proc_file("task/" + std::to_string(process_) + "/children");
        if (children.empty()) {
            return '-';
        }
        const UniqueFd file(open(("/proc/" + std::to_string(std::stoi(children)) + "/stat").c_str(), O_RDONLY));
        const std::string stat = read_all(file.get(), 4096).value_or("");
        const size_t end_of_name = stat.rfind(')');
        return end_of_name == std::string::npos ? '-' : stat[end_of_name + 2];
    }

    StubInitRequest request_;
    pid_t process_ = 0;
    int terminal_ = -1;
    Pipe errors_;
    Pipe output_;
};

TEST_F(StubInit, ThePayloadIsProcessTwo) {
    shell("echo $$");
    EXPECT_EQ(output(), "2\n");
    EXPECT_EQ(exit_status(), 0);
    EXPECT_FALSE(failure().has_value()) << "end of file says that the payload was executed";
}

TEST_F(StubInit, TheExitStatusIsThePayloads) {
    shell("exit 42");
    EXPECT_EQ(exit_status(), 42);
}

TEST_F(StubInit, ADeathBySignalIs255) {
    shell("kill -KILL $$");
    EXPECT_EQ(exit_status(), 255);
}

TEST_F(StubInit, ThePayloadGetsItsEnvironmentAndWordsUnchanged) {
    request_.environment = {"PATH=/usr/bin:/bin", "EMPTY=", "LINES=a\nb", "UTF8=ä"};
    start({"sh", "-c", "printf '%s|' \"$EMPTY\" \"$LINES\" \"$UTF8\" \"$1\" \"$2\"", "name", "", "two words"});
    EXPECT_EQ(output(), "|a\nb|ä||two words|");
    EXPECT_EQ(exit_status(), 0);
}

TEST_F(StubInit, AnEmptyEnvironmentIsOne) {
    request_.environment = {};
    start({"/usr/bin/env"});
    EXPECT_EQ(output(), "");
    EXPECT_EQ(exit_status(), 0);
}

TEST_F(StubInit, ProcessOneShowsNothingOfTheCaller) {
    shell("echo up; sleep 1000 & wait");
    EXPECT_EQ(line(), "up");
    EXPECT_EQ(proc_file("environ"),
              std::string("container=systemd-nspawn\0container_uuid=0123456789abcdef0123456789abcdef\0", 73));
    EXPECT_EQ(proc_file("comm"), "(sd-stubinit)\n");
    const std::string descriptors = "/proc/" + std::to_string(process_) + "/fd";
    EXPECT_TRUE(std::filesystem::is_empty(descriptors));
}

TEST_F(StubInit, ItsProgramFileCannotBeWritten) {
    shell("echo up; sleep 1000 & wait");
    EXPECT_EQ(line(), "up");
    const std::string link = "/proc/" + std::to_string(process_) + "/exe";
    EXPECT_NE(std::filesystem::read_symlink(link).string().find("memfd:sd-stubinit"), std::string::npos);
    const UniqueFd file(open(link.c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_TRUE(!file || write(file.get(), "x", 1) < 0);
    EXPECT_NE(truncate(link.c_str(), 0), 0);
}

TEST(StubImage, IsSealed) {
    const UniqueFd image = make_stub_image().or_throw("test");
    EXPECT_EQ(write(image.get(), "x", 1), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(ftruncate(image.get(), 0), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(fcntl(image.get(), F_ADD_SEALS, F_SEAL_WRITE), -1);
    const UniqueFd again = reopen(image.get(), O_RDWR).or_throw("test");
    EXPECT_EQ(write(again.get(), "x", 1), -1);
}

TEST_F(StubInit, TheSupervisorLearnsThatThePayloadRuns) {
    shell("echo up; sleep 1000 & wait");
    EXPECT_EQ(line(), "up");
    pollfd errors{errors_.read_end.get(), POLLIN, 0};
    EXPECT_EQ(poll(&errors, 1, 5000), 1);
    EXPECT_EQ(errors.revents & (POLLHUP | POLLIN), POLLHUP) << "the payload must not inherit the other end";
}

TEST_F(StubInit, ACommandIsSearchedInThePayloadsPath) {
    std::string pattern = testing::TempDir() + "nspawn-path-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    for (const char* const name : {"/no", "/yes"}) {
        std::filesystem::create_directory(pattern + name);
    }
    std::filesystem::create_symlink("/bin/echo", pattern + "/yes/nspawn-test-tool");
    const UniqueFd not_executable(
        open((pattern + "/no/nspawn-test-tool").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    request_.environment = {"PATH=/nonexistent:" + pattern + "/no:" + pattern + "/yes:/bin"};
    start({"nspawn-test-tool", "found"});
    EXPECT_EQ(output(), "found\n");
    EXPECT_EQ(exit_status(), 0);
    std::filesystem::remove_all(pattern);
}

TEST_F(StubInit, SaysWhatCouldNotBeExecuted) {
    start({"nspawn-no-such-command"});
    EXPECT_EQ(exit_status(), 1);
    const auto message = failure();
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->code, ENOENT);
    EXPECT_STREQ(message->path, "nspawn-no-such-command");
}

struct BadCommand {
    const char* word;
    int code;
};
class StubInitBadCommand : public StubInit, public testing::WithParamInterface<BadCommand> {};

TEST_P(StubInitBadCommand, IsReported) {
    start({GetParam().word});
    EXPECT_EQ(exit_status(), 1);
    const auto message = failure();
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->code, GetParam().code);
    EXPECT_STREQ(message->path, GetParam().word);
}

INSTANTIATE_TEST_SUITE_P(All, StubInitBadCommand,
                         testing::Values(BadCommand{"/nonexistent/command", ENOENT}, BadCommand{"/etc/passwd", EACCES},
                                         BadCommand{"/bin", EACCES}, BadCommand{"/etc/passwd/x", ENOTDIR},
                                         BadCommand{"", ENOENT}));

TEST_F(StubInit, AMissingInterpreterIsToldFromAMissingFile) {
    std::string path = testing::TempDir() + "nspawn-script-XXXXXX";
    const UniqueFd file(mkostemp(path.data(), O_CLOEXEC));
    ASSERT_TRUE(write_all(file.get(), "#!/nonexistent/interpreter\n").ok());
    ASSERT_EQ(fchmod(file.get(), 0755), 0);
    start({path});
    EXPECT_EQ(exit_status(), 1);
    const auto message = failure();
    ASSERT_TRUE(message.has_value());
    // Written to just now, so that it may still count as busy.
    EXPECT_TRUE(message->code == ELIBACC || message->code == ETXTBSY) << message->code;
    std::filesystem::remove(path);
}

TEST_F(StubInit, AVeryLongNameIsCutInTheReport) {
    start({"/" + std::string(2000, 'x')});
    EXPECT_EQ(exit_status(), 1);
    const auto message = failure();
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->code, ENAMETOOLONG);
    EXPECT_EQ(std::string(message->path), "/" + std::string(238, 'x'));
}

TEST_F(StubInit, OrphansAreReaped) {
    // The subshell's child loses its parent and ends; process 1 must collect it, and not take it for the payload.
    shell("(true & true); (exit 3 & exit 0); i=0; while [ $i -lt 20 ]; do (true &); i=$((i+1)); done; exit 5");
    EXPECT_EQ(exit_status(), 5);
}

TEST_F(StubInit, ATerminationSignalIsPassedOn) {
    shell("trap 'echo term; exit 7' TERM; echo up; while :; do sleep 1000 & wait; done");
    EXPECT_EQ(line(), "up");
    kill(process_, SIGTERM);
    EXPECT_EQ(line(), "term");
    EXPECT_EQ(exit_status(), 7);
}

struct Request {
    int signal;
    int death;
};
class StubInitRequests : public StubInit, public testing::WithParamInterface<Request> {};

// The payload is asked with SIGTERM and SIGHUP; the answer is reboot(2), which the kernel turns into a signal.
TEST_P(StubInitRequests, EndTheContainer) {
    shell("trap '' TERM; echo up; while :; do sleep 1000 & wait; done");
    EXPECT_EQ(line(), "up");
    kill(process_, GetParam().signal);
    EXPECT_EQ(death_signal(), GetParam().death);
}

INSTANTIATE_TEST_SUITE_P(All, StubInitRequests,
                         testing::Values(Request{SIGINT, SIGHUP}, Request{SIGRTMIN + 5, SIGHUP},
                                         Request{SIGRTMIN + 6, SIGHUP}, Request{SIGRTMIN + 15, SIGHUP},
                                         Request{SIGRTMIN + 16, SIGHUP}, Request{SIGRTMIN + 3, SIGINT},
                                         Request{SIGRTMIN + 4, SIGINT}, Request{SIGRTMIN + 13, SIGINT},
                                         Request{SIGRTMIN + 14, SIGINT}));

TEST_F(StubInit, AStoppedPayloadIsWokenToEnd) {
    shell("kill -STOP $$");
    while (state_of_payload() != 'T') {
        sched_yield();
    }
    kill(process_, SIGRTMIN + 4);
    EXPECT_EQ(death_signal(), SIGINT);
}

TEST_F(StubInit, APayloadThatDoesNotListenIsNotWaitedForWithoutEnd) {
    request_.stop_timeout = std::chrono::seconds(1);
    shell("trap '' TERM HUP; echo up; while :; do sleep 1000 & wait; done");
    EXPECT_EQ(line(), "up");
    kill(process_, SIGRTMIN + 4);
    EXPECT_EQ(death_signal(), SIGINT);
}

TEST_F(StubInit, TheConsoleBecomesTheControllingTerminal) {
    const UniqueFd devpts(open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const Pty pty = open_pty(devpts.get()).or_throw("test");
    terminal_ = pty.slave.get();
    request_.has_console = true;
    shell("exec 3</dev/tty && echo yes");
    EXPECT_EQ(output(), "yes\n");
    EXPECT_EQ(exit_status(), 0);
}

TEST_F(StubInit, ATerminalInPipeModeStaysOutOfReach) {
    const UniqueFd devpts(open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const Pty pty = open_pty(devpts.get()).or_throw("test");
    terminal_ = pty.slave.get();
    shell("(exec 3</dev/tty) 2>/dev/null || echo none");
    EXPECT_EQ(output(), "none\n");
    EXPECT_EQ(exit_status(), 0);
}

TEST_F(StubInit, APipeThatThePayloadClosesIsClosed) {
    shell("echo up; exec >/dev/null; sleep 1000 & wait");
    EXPECT_EQ(output(), "up\n") << "end of file although the container runs on";
}

TEST_F(StubInit, WithoutWordsAShellIsStarted) {
    const Pipe input;
    ASSERT_TRUE(write_all(input.write_end.get(), "echo $0; exit 9\n").ok());
    terminal_ = input.read_end.get();
    start({});
    const std::string name = output();
    EXPECT_TRUE(name == "-bash\n" || name == "-sh\n") << name;
    EXPECT_EQ(exit_status(), 9);
}

} // namespace
} // namespace nspawn
