#include "run/service_manager.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>

#include <sys/time.h>

namespace nspawn {

namespace {

constexpr uint64_t kLongestTimeout = 1'000'000ULL * 60 * 60 * 24 * 365; // a year of microseconds

} // namespace

ServiceManager::ServiceManager(const char* notify_socket) {
    const std::string_view name = notify_socket == nullptr ? "" : notify_socket;
    if (name.empty()) {
        return;
    }
    if (name.front() != '/' && name.front() != '@') {
        log::warning("$NOTIFY_SOCKET is \"{}\", which is neither a path nor an abstract address; the service manager "
                     "will not be told when the container is ready",
                     name);
        return;
    }
    if (name.size() >= sizeof address_.sun_path) {
        log::warning("$NOTIFY_SOCKET is longer than a socket address can be; the service manager will not be told when "
                     "the container is ready");
        return;
    }
    address_.sun_family = AF_UNIX;
    name.copy(address_.sun_path, sizeof address_.sun_path - 1);
    if (name.front() == '@') {
        address_.sun_path[0] = '\0'; // abstract: the name is as long as the length says, without a NUL at its end
        address_length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    } else {
        address_length_ = static_cast<socklen_t>(sizeof address_);
    }
}

void ServiceManager::give_up(const char* call, int code) {
    log::warning("cannot tell the service manager at $NOTIFY_SOCKET: {}: {}", call, error_text(code));
    address_length_ = 0;
    socket_.reset();
}

void ServiceManager::send(std::string_view message) {
    if (!is_listening()) {
        return;
    }
    if (!socket_) {
        socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        if (!socket_) {
            give_up("socket", errno);
            return;
        }
        // A manager that stopped reading must not stop the supervisor.
        const timeval limit{5, 0};
        if (setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0) {
            give_up("SO_SNDTIMEO", errno);
            return;
        }
    }
    const auto* const address = reinterpret_cast<const sockaddr*>(&address_);
    if (sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL, address, address_length_) < 0) {
        give_up("sendto", errno);
    }
}

void ServiceManager::container_running(pid_t leader, bool ready) {
    send(fmt::format("{}STATUS=Container running.\nX_NSPAWN_LEADER_PID={}", ready ? "READY=1\n" : "", leader));
}

void ServiceManager::container_ready() { send("READY=1\n"); }

void ServiceManager::container_status(std::string_view status) {
    // A newline would start another assignment, and the text is the container's.
    std::string line(status.substr(0, 2048));
    std::replace(line.begin(), line.end(), '\n', ' ');
    send(fmt::format("STATUS=Container running: {}", line));
}

void ServiceManager::terminating() { send("STOPPING=1\nSTATUS=Terminating..."); }

void ServiceManager::restarting() { send("STOPPING=1\nSTATUS=Restarting..."); }

std::optional<std::chrono::microseconds> watchdog_timeout(const char* microseconds, const char* pid, pid_t self) {
    if (microseconds == nullptr) {
        return std::nullopt;
    }
    // Set for the process with that number only, and inherited by its children.
    if (pid != nullptr && parse_unsigned(pid) != static_cast<uint64_t>(self)) {
        return std::nullopt;
    }
    const auto value = parse_unsigned(microseconds);
    if (!value || *value == 0 || *value > kLongestTimeout) {
        log::warning("$WATCHDOG_USEC is \"{}\", which is no time span; no signs of life are sent", microseconds);
        return std::nullopt;
    }
    return std::chrono::microseconds(*value);
}

Watchdog::Watchdog(EventLoop& loop, ServiceManager& manager, std::chrono::microseconds timeout)
    : loop_(loop), manager_(manager),
      interval_(std::max(std::chrono::floor<EventLoop::Duration>(timeout / 2), EventLoop::Duration(1))) {}

void Watchdog::start() {
    loop_.cancel_timer(timer_);
    timer_ = loop_.start_timer(interval_, [this] { ping(); }).or_throw("starting the watchdog's timer");
}

void Watchdog::ping() {
    manager_.send("WATCHDOG=1");
    start();
}

} // namespace nspawn
