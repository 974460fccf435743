// caller_stream.hpp — standard input or output of whoever started us, used without side effects.
//
// Works on an open file description of its own wherever the kernel gives one out (terminals, pipes), so that O_NONBLOCK
// never leaks to the processes that share the original. A regular file keeps the caller's description, and with it the
// caller's position. A closed descriptor is a stream that is at its end, or takes nothing. Reads and writes never wait,
// except on a terminal that could not be reopened, where a write of a few bytes may. Source: open(2), pipe(7),
// epoll(7).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace nspawn {

class CallerStream {
public:
    CallerStream() = default; // closed
    static CallerStream for_reading(int fd);
    static CallerStream for_writing(int fd);

    [[nodiscard]] bool is_open() const { return fd_.valid(); }
    [[nodiscard]] bool is_terminal() const { return is_terminal_; }
    // True for one that could not be reopened: write only after the loop said that it is writable.
    [[nodiscard]] bool may_block() const { return may_block_; }
    [[nodiscard]] int fd() const { return fd_.get(); }
    void close() { fd_.reset(); }

    // 0 at the end; EAGAIN when there is nothing now.
    Result<size_t> read(std::span<char> buffer);
    // EAGAIN when nothing is taken now.
    Result<size_t> write(std::string_view data);

private:
    static CallerStream open(int fd, int access);

    UniqueFd fd_;
    bool is_terminal_ = false;
    bool is_socket_ = false;
    bool may_block_ = false;
};

} // namespace nspawn
