#include "run/notify_socket.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {
namespace {

class NotifySocket : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "nspawn-notify-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        path_ = pattern;
        directory_.reset(open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        socket_ = make_notify_socket().or_throw("test");
        check(fchdir(directory_.get()), "fchdir").or_throw("test");
        bind_notify_socket(socket_.get(), "notify").or_throw("test");
    }
    void TearDown() override { std::filesystem::remove_all(path_); }

    // Sends from this very process, with a descriptor when one is given.
    void send(const std::string& text, int fd = -1) const {
        const UniqueFd sender(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        (path_ + "/notify").copy(address.sun_path, sizeof address.sun_path - 1);
        iovec vector{const_cast<char*>(text.data()), text.size()};
        msghdr message{};
        message.msg_name = &address;
        message.msg_namelen = sizeof address;
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
        if (fd >= 0) {
            message.msg_control = control;
            message.msg_controllen = sizeof control;
            cmsghdr* const header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof fd);
            std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
        }
        ASSERT_EQ(sendmsg(sender.get(), &message, 0), static_cast<ssize_t>(text.size()));
    }
    void send_from_another_process(const std::string& text) const {
        const pid_t child = fork();
        if (child == 0) {
            send(text);
            _exit(0);
        }
        waitpid(child, nullptr, 0);
    }
    std::optional<Notification> receive() { return receive_notification(socket_.get(), getpid()).or_throw("test"); }

    std::string path_;
    UniqueFd directory_;
    UniqueFd socket_;
};

size_t open_descriptors() {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        ++count;
    }
    return count;
}

TEST_F(NotifySocket, TheFileIsForWritingByItsOwner) {
    struct stat status {};
    ASSERT_EQ(stat((path_ + "/notify").c_str(), &status), 0);
    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    EXPECT_EQ(status.st_mode & 07777U, 0200U);
}

TEST_F(NotifySocket, BindingWhereSomethingIsInTheWayIsAnError) {
    const UniqueFd second = make_notify_socket().or_throw("test");
    EXPECT_EQ(bind_notify_socket(second.get(), "notify").error(), EADDRINUSE);
}

TEST_F(NotifySocket, HearsItsLeader) {
    EXPECT_FALSE(receive().has_value());
    send("STATUS=starting\nREADY=1");
    const auto heard = receive();
    ASSERT_TRUE(heard.has_value());
    EXPECT_TRUE(heard->ready);
    EXPECT_EQ(heard->status, "starting");
    EXPECT_FALSE(receive().has_value());
}

TEST_F(NotifySocket, IsDeafToEverybodyElse) {
    send_from_another_process("READY=1");
    send("STATUS=mine");
    const auto heard = receive();
    ASSERT_TRUE(heard.has_value());
    EXPECT_FALSE(heard->ready);
    EXPECT_EQ(heard->status, "mine");
}

TEST_F(NotifySocket, DescriptorsThatComeAlongAreClosed) {
    const size_t before = open_descriptors();
    for (int i = 0; i < 5; ++i) {
        send("READY=1", socket_.get());
        ASSERT_TRUE(receive().has_value());
    }
    send_from_another_process("READY=1");
    EXPECT_FALSE(receive().has_value());
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(NotifySocket, AMessageThatIsTooLongIsIgnored) {
    send("READY=1\n" + std::string(kMaxNotification, 'x'));
    EXPECT_FALSE(receive().has_value());
}

TEST(Notification, OnlyReadyAndStatusAreHeard) {
    const Notification none = parse_notification("READY=0\nMAINPID=1\nFDSTORE=1\nXREADY=1\nREADY=1 \nBARRIER=1");
    EXPECT_FALSE(none.ready);
    EXPECT_FALSE(none.status.has_value());
    EXPECT_TRUE(parse_notification("X=1\nREADY=1\n").ready);
    EXPECT_EQ(parse_notification("STATUS=a\nSTATUS=b=c\n").status, "b=c");
    EXPECT_EQ(parse_notification("STATUS=").status, "");
    EXPECT_FALSE(parse_notification("").ready);
}

} // namespace
} // namespace nspawn
