// caller.hpp — what options may ask about the process that called nspawn: its environment, directory and terminal.
//
// Passed in, so that reading options is a pure function of its inputs. Never changes the environment.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nspawn {

struct Caller {
    const char* const* environment = nullptr; // as environ(7); nullptr: empty
    std::string working_directory;            // absolute; empty: this process's, asked for when it is needed
    bool stdin_is_terminal = false;
    bool stdout_is_terminal = false;
    bool stderr_is_terminal = false;

    // Opens /dev/null in place of a standard stream that is closed: before anything else is opened.
    static Caller of_this_process();
    // What relative paths on the command line start from.
    [[nodiscard]] std::string start_of_paths() const;
    [[nodiscard]] std::optional<std::string_view> variable(std::string_view name) const;
};

} // namespace nspawn
