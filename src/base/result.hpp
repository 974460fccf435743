// result.hpp — what the kernel layer answers with: a value, or an errno together with the name of the call.
//
// An errno is often an answer ("this file system has no id-mapped mounts"), so it is data here and becomes an
// exception only where somebody says or_throw(). Never carries prose; that is Error's task.
#pragma once

#include "base/error.hpp"

#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

namespace nspawn {

// errno plus the call that set it. `call` must be a string literal.
struct SystemError {
    int code = 0;
    const char* call = "";
};

inline SystemError last_error(const char* call) { return {errno, call}; }

template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}
    Result(SystemError error) : error_(error) {}

    [[nodiscard]] bool ok() const { return error_.code == 0; }
    // The errno, 0 when there is a value.
    [[nodiscard]] int error() const { return error_.code; }
    [[nodiscard]] SystemError system_error() const { return error_; }
    [[nodiscard]] T& value() & { return *value_; }
    [[nodiscard]] const T& value() const& { return *value_; }
    [[nodiscard]] T&& value() && { return std::move(*value_); }
    [[nodiscard]] T value_or(T other) && { return ok() ? std::move(*value_) : std::move(other); }
    // The value, or an Error that reads "<doing>: <call>: <strerror>".
    T or_throw(std::string_view doing) && {
        if (!ok()) {
            throw_system_error(error_.code, error_.call, doing);
        }
        return std::move(*value_);
    }

private:
    std::optional<T> value_;
    SystemError error_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(SystemError error) : error_(error) {}

    [[nodiscard]] bool ok() const { return error_.code == 0; }
    [[nodiscard]] int error() const { return error_.code; }
    [[nodiscard]] SystemError system_error() const { return error_; }
    void or_throw(std::string_view doing) const {
        if (!ok()) {
            throw_system_error(error_.code, error_.call, doing);
        }
    }

private:
    SystemError error_;
};

// For calls that answer -1 and errno: `return check(mkdirat(...), "mkdirat")`.
inline Result<void> check(long result, const char* call) {
    if (result < 0) {
        return last_error(call);
    }
    return {};
}

} // namespace nspawn
