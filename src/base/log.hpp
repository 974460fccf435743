// log.hpp — lines for the person at the terminal, on standard error.
//
// Each call writes one line with one write(2), prefixed "nspawn: " and, once known, the machine's name. Control
// characters in the text are replaced, so a hostile file name cannot talk to the terminal. Never buffers, never
// allocates after the line is built. Level from SYSTEMD_LOG_LEVEL (emerg … debug or 0 … 7; default info).
#pragma once

#include "base/error.hpp"

#include <fmt/format.h>

#include <string_view>

namespace nspawn::log {

enum class Level { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

void set_program(const char* name);      // a string that lives as long as the process
void set_machine(std::string_view name); // copied; empty: none
void set_max_level(Level level);
[[nodiscard]] bool enabled(Level level);
void read_environment(); // SYSTEMD_LOG_LEVEL, SYSTEMD_LOG_COLOR
void write_line(Level level, std::string_view text);
// The message, and the hint indented below it.
void failure(const Error& error);

template <typename... Args>
void line(Level level, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(level)) {
        write_line(level, fmt::format(format, std::forward<Args>(args)...));
    }
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    line(Level::error, format, std::forward<Args>(args)...);
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
    line(Level::warning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void notice(fmt::format_string<Args...> format, Args&&... args) {
    line(Level::notice, format, std::forward<Args>(args)...);
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    line(Level::info, format, std::forward<Args>(args)...);
}
template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    line(Level::debug, format, std::forward<Args>(args)...);
}

} // namespace nspawn::log
