#include "config/credential.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/path.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace nspawn {

namespace {

// Whoever writes to a pipe or socket may take a while, but a silent one must not hold up the start for ever.
constexpr int kSilenceMilliseconds = 90'000;

std::string too_large() { return fmt::format("a credential has at most {} bytes", kLargestCredential); }

// Connects through the descriptor: the path may be longer than an address holds, and what was looked at is what is
// used.
UniqueFd connect_to(const UniqueFd& socket_file) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = fmt::format("/proc/self/fd/{}", socket_file.get());
    std::copy(path.begin(), path.end(), std::begin(address.sun_path));
    UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!connection) {
        throw_system_error(errno, "socket", "");
    }
    if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) {
        throw_system_error(errno, "connect", "");
    }
    return connection;
}

// Everything up to the end of the stream, from a non-blocking descriptor.
std::string read_stream(const UniqueFd& stream) {
    std::string content;
    std::array<char, size_t{16} * 1024> buffer{};
    for (;;) {
        pollfd waiting{.fd = stream.get(), .events = POLLIN, .revents = 0};
        const int ready = poll(&waiting, 1, kSilenceMilliseconds);
        if (ready == 0) {
            throw Error(fmt::format("nothing came for {} seconds", kSilenceMilliseconds / 1000));
        }
        if (ready < 0 && errno != EINTR) {
            throw_system_error(errno, "poll", "");
        }
        const ssize_t count = read(stream.get(), buffer.data(), buffer.size());
        if (count == 0) {
            return content;
        }
        if (count < 0) {
            if (errno == EINTR || errno == EAGAIN) {
                continue;
            }
            throw_system_error(errno, "read", "");
        }
        content.append(buffer.data(), static_cast<size_t>(count));
        if (content.size() > kLargestCredential) {
            throw Error(too_large());
        }
    }
}

std::string read_regular(const UniqueFd& file) {
    const UniqueFd readable = reopen(file.get(), O_RDONLY | O_NOCTTY).or_throw("");
    auto content = read_all(readable.get(), kLargestCredential);
    if (content.error() == EFBIG) {
        throw Error(too_large());
    }
    return std::move(content).or_throw("");
}

std::string read_path(const std::string& path) {
    const UniqueFd file = open_at(AT_FDCWD, path.c_str(), O_PATH).or_throw("");
    struct stat status {};
    check(fstat(file.get(), &status), "fstat").or_throw("");
    if (S_ISREG(status.st_mode)) {
        return read_regular(file);
    }
    if (S_ISSOCK(status.st_mode)) {
        return read_stream(connect_to(file));
    }
    if (S_ISFIFO(status.st_mode)) { // what a shell's <(command) is
        return read_stream(reopen(file.get(), O_RDONLY | O_NONBLOCK).or_throw(""));
    }
    throw Error("not a file, pipe or socket");
}

std::string read_own(const std::string& name, const Caller& caller) {
    const auto directory = caller.variable("CREDENTIALS_DIRECTORY");
    if (!directory) {
        throw Error("no credentials were passed to us ($CREDENTIALS_DIRECTORY is not set); give an absolute path");
    }
    if (!is_absolute(*directory)) {
        throw Error("$CREDENTIALS_DIRECTORY is not an absolute path");
    }
    return read_path(join(*directory, name));
}

} // namespace

bool is_credential_name(std::string_view name) {
    constexpr size_t kLongestName = 255;
    if (name.empty() || name.size() > kLongestName || name == "." || name == "..") {
        return false;
    }
    return std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f && c != '/' && c != ':'; });
}

std::string read_credential(const std::string& source, const Caller& caller) {
    return is_absolute(source) ? read_path(source) : read_own(source, caller);
}

} // namespace nspawn
