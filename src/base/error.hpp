// error.hpp — a failure that already knows its sentence.
//
// Thrown by everything above the kernel layer, caught in main() and at the head of the container's child; those are
// the only places that print. The message is one line without a trailing newline and without the program's name.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace nspawn {

class Error : public std::exception {
public:
    explicit Error(std::string message, std::string hint = {}) : message_(std::move(message)), hint_(std::move(hint)) {}

    [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }
    [[nodiscard]] const std::string& message() const { return message_; }
    // What to try, printed indented below the message; empty when there is nothing useful to say.
    [[nodiscard]] const std::string& hint() const { return hint_; }
    // Exit status of the program, 1 unless the manual documents another.
    [[nodiscard]] int exit_status() const { return exit_status_; }
    // The errno behind it, 0 when there is none.
    [[nodiscard]] int code() const { return code_; }

    Error& with_context(std::string_view context); // "context: message"
    Error& with_hint(std::string hint);
    Error& with_exit_status(int status);
    Error& with_code(int code);

private:
    std::string message_;
    std::string hint_;
    int exit_status_ = 1;
    int code_ = 0;
};

// Throws Error("<doing>: <call>: <strerror(code)>"). An empty `call` or `doing` is left out.
[[noreturn]] void throw_system_error(int code, std::string_view call, std::string_view doing);

// strerror without locale or static buffer.
std::string_view error_text(int code);

} // namespace nspawn
