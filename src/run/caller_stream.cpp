#include "run/caller_stream.hpp"

#include "base/file.hpp"
#include "linux/terminal.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

// What a pipe or terminal that says it is writable takes at once.
constexpr size_t kBlockingChunk = 256;

Result<size_t> count_or_error(ssize_t count, const char* call) {
    if (count < 0) {
        return last_error(call);
    }
    return static_cast<size_t>(count);
}

} // namespace

CallerStream CallerStream::for_reading(int fd) { return open(fd, O_RDONLY); }

CallerStream CallerStream::for_writing(int fd) { return open(fd, O_WRONLY); }

CallerStream CallerStream::open(int fd, int access) {
    CallerStream stream;
    struct stat status {};
    if (fstat(fd, &status) < 0) {
        return stream;
    }
    stream.is_terminal_ = nspawn::is_terminal(fd);
    stream.is_socket_ = S_ISSOCK(status.st_mode);
    if (stream.is_terminal_ || S_ISFIFO(status.st_mode)) {
        if (Result<UniqueFd> own = reopen(fd, access | O_NONBLOCK | O_NOCTTY); own.ok()) {
            stream.fd_ = std::move(own).value();
            return stream;
        }
        stream.may_block_ = (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
    }
    stream.fd_.reset(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    return stream;
}

Result<size_t> CallerStream::read(std::span<char> buffer) {
    for (;;) {
        const ssize_t count = is_socket_ ? recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)
                                         : ::read(fd_.get(), buffer.data(), buffer.size());
        if (count >= 0 || errno != EINTR) {
            return count_or_error(count, "read");
        }
    }
}

Result<size_t> CallerStream::write(std::string_view data) {
    const std::string_view part = may_block_ ? data.substr(0, kBlockingChunk) : data;
    for (;;) {
        const ssize_t count = is_socket_ ? send(fd_.get(), part.data(), part.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                         : ::write(fd_.get(), part.data(), part.size());
        if (count >= 0 || errno != EINTR) {
            return count_or_error(count, "write");
        }
    }
}

} // namespace nspawn
