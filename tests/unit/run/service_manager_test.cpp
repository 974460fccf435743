#include "run/service_manager.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <string>

#include <unistd.h>

namespace nspawn {
namespace {

using std::chrono::microseconds;

// The other end: a datagram socket bound to an abstract name or a path.
class Listener {
public:
    explicit Listener(const std::string& name) : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        name.copy(address.sun_path, sizeof address.sun_path - 1);
        socklen_t length = sizeof address;
        if (name.front() == '@') {
            address.sun_path[0] = '\0';
            length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        }
        EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    }
    // "" when nothing was sent.
    std::string next() {
        char text[4096];
        const ssize_t size = recv(socket_.get(), text, sizeof text, MSG_DONTWAIT);
        return size < 0 ? "" : std::string(text, static_cast<size_t>(size));
    }

private:
    UniqueFd socket_;
};

std::string abstract_name() { return "@nspawn-test-" + std::to_string(getpid()); }

TEST(ServiceManager, WithoutAnAddressNothingHappens) {
    for (const char* const name : {static_cast<const char*>(nullptr), "", "vsock:2:1234", "relative/path"}) {
        ServiceManager manager(name);
        EXPECT_FALSE(manager.is_listening());
        manager.container_running(1, true);
    }
    EXPECT_FALSE(ServiceManager(("/" + std::string(200, 'x')).c_str()).is_listening());
}

TEST(ServiceManager, SpeaksToAnAbstractAddress) {
    Listener listener(abstract_name());
    ServiceManager manager(abstract_name().c_str());
    manager.container_running(4711, true);
    EXPECT_EQ(listener.next(), "READY=1\nSTATUS=Container running.\nX_NSPAWN_LEADER_PID=4711");
    manager.container_running(4711, false);
    EXPECT_EQ(listener.next(), "STATUS=Container running.\nX_NSPAWN_LEADER_PID=4711");
    manager.terminating();
    EXPECT_EQ(listener.next(), "STOPPING=1\nSTATUS=Terminating...");
}

TEST(ServiceManager, SpeaksToAPath) {
    const std::string path = testing::TempDir() + "nspawn-manager-" + std::to_string(getpid());
    Listener listener(path);
    ServiceManager manager(path.c_str());
    manager.container_ready();
    EXPECT_EQ(listener.next(), "READY=1\n");
    std::filesystem::remove(path);
}

TEST(ServiceManager, AContainersStatusCannotSmuggleInAnAssignment) {
    Listener listener(abstract_name());
    ServiceManager manager(abstract_name().c_str());
    manager.container_status("up\nMAINPID=1");
    EXPECT_EQ(listener.next(), "STATUS=Container running: up MAINPID=1");
}

TEST(ServiceManager, GivesUpOnAManagerThatIsNotThere) {
    ServiceManager manager("@nspawn-test-nobody");
    EXPECT_TRUE(manager.is_listening());
    manager.container_ready();
    EXPECT_FALSE(manager.is_listening());
}

TEST(Watchdog, TheTimeoutIsForTheNamedProcessOnly) {
    EXPECT_EQ(watchdog_timeout(nullptr, nullptr, 7), std::nullopt);
    EXPECT_EQ(watchdog_timeout("3000000", nullptr, 7), microseconds(3000000));
    EXPECT_EQ(watchdog_timeout("3000000", "7", 7), microseconds(3000000));
    EXPECT_EQ(watchdog_timeout("3000000", "8", 7), std::nullopt);
    EXPECT_EQ(watchdog_timeout("3000000", "", 7), std::nullopt);
    for (const char* const wrong : {"0", "", "-1", "3s", "99999999999999999999", "18446744073709551615"}) {
        EXPECT_EQ(watchdog_timeout(wrong, nullptr, 7), std::nullopt) << wrong;
    }
}

TEST(Watchdog, PingsAgainAndAgain) {
    Listener listener(abstract_name());
    ServiceManager manager(abstract_name().c_str());
    EventLoop loop = EventLoop::create().or_throw("test");
    Watchdog watchdog(loop, manager, microseconds(4000));
    watchdog.start();
    for (int ping = 0; ping < 3; ++ping) {
        std::string message;
        while (message.empty()) {
            ASSERT_TRUE(loop.run_once(EventLoop::Duration(-1)).ok());
            message = listener.next();
        }
        EXPECT_EQ(message, "WATCHDOG=1");
    }
}

} // namespace
} // namespace nspawn
