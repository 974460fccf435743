// unique_fd.hpp — sole ownership of one file descriptor.
//
// Closes it when dropped. Never duplicates it and never sets close-on-exec: whoever opens a descriptor
// opens it close-on-exec in the same call.
#pragma once

#include <utility>

#include <unistd.h>

namespace nspawn {

class UniqueFd {
public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset(std::exchange(other.fd_, -1));
        }
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool valid() const { return fd_ >= 0; }
    explicit operator bool() const { return valid(); }
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    // errno is kept, so that a failing path can clean up before it reports.
    void reset(int fd = -1);

private:
    int fd_ = -1;
};

} // namespace nspawn
