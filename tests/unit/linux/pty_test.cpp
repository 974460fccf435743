#include "linux/pty.hpp"

#include <gtest/gtest.h>

#include <string>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {
namespace {

UniqueFd host_devpts() { return UniqueFd(open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC)); }

TEST(Pty, BothEndsBelongTogetherAndNoneLeaksIntoAProgram) {
    const UniqueFd devpts = host_devpts();
    const Pty pty = open_pty(devpts.get()).or_throw("test");
    ASSERT_EQ(write(pty.slave.get(), "hello", 5), 5);
    char text[8] = {};
    EXPECT_EQ(read(pty.master.get(), text, sizeof text), 5);
    EXPECT_STREQ(text, "hello");
    for (const int fd : {pty.master.get(), pty.slave.get()}) {
        EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    }
    EXPECT_NE(fcntl(pty.master.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(fcntl(pty.slave.get(), F_GETFL) & O_NONBLOCK, 0) << "the payload gets this one";
}

TEST(Pty, TheNumberIsTheNameInDevpts) {
    const UniqueFd devpts = host_devpts();
    const Pty pty = open_pty(devpts.get()).or_throw("test");
    struct stat by_name {};
    struct stat by_descriptor {};
    ASSERT_EQ(fstatat(devpts.get(), std::to_string(pty.number).c_str(), &by_name, 0), 0);
    ASSERT_EQ(fstat(pty.slave.get(), &by_descriptor), 0);
    EXPECT_EQ(by_name.st_rdev, by_descriptor.st_rdev);
    EXPECT_EQ(by_name.st_ino, by_descriptor.st_ino);
}

TEST(Pty, AFurtherPeerReachesTheSameTerminal) {
    const UniqueFd devpts = host_devpts();
    const Pty pty = open_pty(devpts.get()).or_throw("test");
    const UniqueFd peer = open_pty_peer(pty.master.get()).or_throw("test");
    ASSERT_EQ(write(peer.get(), "x", 1), 1);
    char byte = 0;
    EXPECT_EQ(read(pty.master.get(), &byte, 1), 1);
}

TEST(Pty, ADirectoryThatIsNoDevptsIsAnError) {
    const UniqueFd root(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    EXPECT_EQ(open_pty(root.get()).error(), ENOENT);
    EXPECT_EQ(open_pty_peer(root.get()).error(), EBADF);
}

} // namespace
} // namespace nspawn
