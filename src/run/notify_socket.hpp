// notify_socket.hpp — the container's first process tells the supervisor that it is ready.
//
// The supervisor makes the socket, the child gives it its name inside the container (/run/host/notify). Only messages
// that the container's first process sent itself count: the kernel attests the sender, and descriptors that come along
// are closed. Of a message only READY=1 and STATUS= are heard. Everything read here is hostile: bounded, never waited
// for. Source: sd_notify(3), unix(7).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace nspawn {

// Not bound yet; non-blocking, asks the kernel for the sender's credentials.
Result<UniqueFd> make_notify_socket();
// Binds it to `path`, of at most 107 bytes, mode 0200; the umask must not take that bit. For the child only, in whose
// tree the path lies on a file system of ours: an AF_UNIX address cannot start at a descriptor.
Result<void> bind_notify_socket(int socket, const char* path);

struct Notification {
    bool ready = false;
    std::optional<std::string> status; // may hold any byte but a newline
};

// Longer messages are ignored as a whole.
inline constexpr size_t kMaxNotification = 4096;

Notification parse_notification(std::string_view message);

// The next message of the process `leader` (its number as this process sees it); nothing when none is pending.
Result<std::optional<Notification>> receive_notification(int socket, pid_t leader);

} // namespace nspawn
