#include "base/error.hpp"

#include "base/unique_fd.hpp"

#include <cerrno>
#include <cstring>

namespace nspawn {

void UniqueFd::reset(int fd) {
    if (fd_ >= 0) {
        const int saved = errno;
        ::close(fd_);
        errno = saved;
    }
    fd_ = fd;
}

Error& Error::with_context(std::string_view context) {
    message_.insert(0, ": ").insert(0, context);
    return *this;
}

Error& Error::with_hint(std::string hint) {
    hint_ = std::move(hint);
    return *this;
}

Error& Error::with_exit_status(int status) {
    exit_status_ = status;
    return *this;
}

Error& Error::with_code(int code) {
    code_ = code;
    return *this;
}

std::string_view error_text(int code) {
    const char* text = strerrordesc_np(code);
    return text != nullptr ? text : "Unknown error";
}

void throw_system_error(int code, std::string_view call, std::string_view doing) {
    std::string message;
    for (const std::string_view part : {doing, call}) {
        if (!part.empty()) {
            message.append(part).append(": ");
        }
    }
    throw Error(message.append(error_text(code))).with_code(code);
}

} // namespace nspawn
