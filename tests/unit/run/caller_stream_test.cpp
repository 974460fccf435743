#include "linux/pty.hpp"
#include "run/caller_stream.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <climits>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {
namespace {

struct Pair {
    UniqueFd first;
    UniqueFd second;
};
Pair make_pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}
Pair make_sockets() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}
bool is_blocking(int fd) { return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

TEST(CallerStream, AClosedDescriptorIsAClosedStream) {
    EXPECT_FALSE(CallerStream::for_reading(-1).is_open());
    EXPECT_FALSE(CallerStream::for_writing(-1).is_open());
}

TEST(CallerStream, ATerminalKeepsItsBlockingModeForTheCaller) {
    const UniqueFd devpts(open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const Pty pty = open_pty(devpts.get()).or_throw("test");
    CallerStream stream = CallerStream::for_reading(pty.slave.get());
    EXPECT_TRUE(stream.is_terminal());
    std::array<char, 8> buffer{};
    EXPECT_EQ(stream.read(buffer).error(), EAGAIN);
    EXPECT_TRUE(is_blocking(pty.slave.get()));
    EXPECT_NE(fcntl(stream.fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(CallerStream, SoDoesAPipeWhichIsNeverWaitedFor) {
    const Pair pipe = make_pipe();
    CallerStream reader = CallerStream::for_reading(pipe.first.get());
    CallerStream writer = CallerStream::for_writing(pipe.second.get());
    std::array<char, 8> buffer{};
    EXPECT_EQ(reader.read(buffer).error(), EAGAIN);
    const std::string much(1 << 20, 'x');
    EXPECT_GT(writer.write(much).or_throw("test"), 0U);
    EXPECT_EQ(writer.write(much).error(), EAGAIN);
    EXPECT_TRUE(is_blocking(pipe.first.get()));
    EXPECT_TRUE(is_blocking(pipe.second.get()));
}

TEST(CallerStream, AndASocket) {
    const Pair sockets = make_sockets();
    CallerStream stream = CallerStream::for_writing(sockets.first.get());
    std::array<char, 8> buffer{};
    EXPECT_EQ(stream.read(buffer).error(), EAGAIN);
    const std::string much(1 << 20, 'x');
    EXPECT_GT(stream.write(much).or_throw("test"), 0U);
    EXPECT_EQ(stream.write(much).error(), EAGAIN);
    EXPECT_TRUE(is_blocking(sockets.first.get()));
}

TEST(CallerStream, AFileIsWrittenAtTheCallersPosition) {
    const UniqueFd file(open(testing::TempDir().c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
    ASSERT_TRUE(file.valid());
    ASSERT_EQ(write(file.get(), "before ", 7), 7);
    CallerStream stream = CallerStream::for_writing(file.get());
    EXPECT_EQ(stream.write("within ").or_throw("test"), 7U);
    ASSERT_EQ(write(file.get(), "after", 5), 5);
    char text[64] = {};
    ASSERT_EQ(pread(file.get(), text, sizeof text, 0), 19);
    EXPECT_STREQ(text, "before within after");
}

// In a process that may not open the pipe again: it belongs to somebody else.
int write_to_foreign_pipe(int fd) {
    if (setresuid(65534, 65534, 65534) < 0) {
        return 1;
    }
    CallerStream stream = CallerStream::for_writing(fd);
    if (!stream.is_open() || !stream.may_block() || !is_blocking(fd)) {
        return 2;
    }
    const Result<size_t> written = stream.write(std::string(100000, 'x'));
    return written.ok() && written.value() > 0 && written.value() <= PIPE_BUF ? 0 : 3;
}

TEST(CallerStream, WhereReopeningIsRefusedItWritesAFewBytesAtATime) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "needs a second user";
    }
    const Pair pipe = make_pipe();
    const pid_t child = fork();
    if (child == 0) {
        _exit(write_to_foreign_pipe(pipe.second.get()));
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << WEXITSTATUS(status);
}

TEST(CallerStream, TheEndOfThePipeIsZero) {
    Pair pipe = make_pipe();
    CallerStream reader = CallerStream::for_reading(pipe.first.get());
    pipe.second.reset();
    std::array<char, 8> buffer{};
    EXPECT_EQ(reader.read(buffer).or_throw("test"), 0U);
}

} // namespace
} // namespace nspawn
