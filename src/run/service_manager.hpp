// service_manager.hpp — what the supervisor tells whoever started it as a service.
//
// Speaks the readiness protocol to $NOTIFY_SOCKET: a path or an abstract address ("@…"). Does nothing when there is no
// such variable. A manager that cannot be reached is reported once and never stops a container. Source: sd_notify(3),
// sd_watchdog_enabled(3); the messages are those of systemd-nspawn (spec C.8).
#pragma once

#include "base/unique_fd.hpp"
#include "linux/event_loop.hpp"

#include <chrono>
#include <optional>
#include <string_view>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

namespace nspawn {

class ServiceManager {
public:
    // For the value of $NOTIFY_SOCKET; nullptr or empty: nobody listens. An address that cannot be used is warned of.
    explicit ServiceManager(const char* notify_socket);

    [[nodiscard]] bool is_listening() const { return address_length_ > 0; }
    // One message of newline-separated assignments.
    void send(std::string_view message);

    // With `ready`: the service is up. Without: the container runs, but its init has not said READY=1 yet.
    void container_running(pid_t leader, bool ready);
    void container_ready();
    void container_status(std::string_view status); // "Container running: <status>"
    void terminating();
    void restarting();

private:
    void give_up(const char* call, int code);

    sockaddr_un address_{};
    socklen_t address_length_ = 0;
    UniqueFd socket_;
};

// How long the manager waits for a sign of life, from $WATCHDOG_USEC and $WATCHDOG_PID; nothing when it does not wait
// for this process. A malformed value is warned of.
std::optional<std::chrono::microseconds> watchdog_timeout(const char* microseconds, const char* pid, pid_t self);

// A sign of life twice per `timeout`, as long as the event loop turns.
class Watchdog {
public:
    Watchdog(EventLoop& loop, ServiceManager& manager, std::chrono::microseconds timeout);
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;
    ~Watchdog() { loop_.cancel_timer(timer_); }

    void start();

private:
    void ping();

    EventLoop& loop_;
    ServiceManager& manager_;
    EventLoop::Duration interval_;
    EventLoop::TimerId timer_;
};

} // namespace nspawn
