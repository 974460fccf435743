#include "base/log.hpp"

#include "base/text.hpp"

#include <cstdlib>
#include <string>

#include <termios.h>
#include <unistd.h>

namespace nspawn::log {

namespace {

// Plain data only: no constructor runs before main().
const char* program = "nspawn";
char machine[80] = "";
Level max_level = Level::info;
enum class Color { where_a_terminal_shows_it, always, never };
Color color = Color::where_a_terminal_shows_it;

struct LevelName {
    std::string_view name;
    int level;
};
// While the console has the terminal in raw mode, a line feed alone would not go back to the first column.
const char* line_end() {
    termios mode{};
    return tcgetattr(STDERR_FILENO, &mode) == 0 && (mode.c_oflag & OPOST) == 0 ? "\r\n" : "\n";
}

constexpr LevelName kLevelNames[] = {{"emerg", 0},   {"alert", 1},  {"crit", 2}, {"err", 3},
                                     {"warning", 4}, {"notice", 5}, {"info", 6}, {"debug", 7}};

} // namespace

void set_program(const char* name) { program = name; }

void set_machine(std::string_view name) {
    const size_t length = name.copy(machine, sizeof machine - 1);
    machine[length] = '\0';
}

void set_max_level(Level level) { max_level = level; }

bool enabled(Level level) { return level <= max_level; }

void read_environment() {
    if (const char* value = std::getenv("SYSTEMD_LOG_LEVEL"); value != nullptr) {
        const std::string_view text = value;
        for (const LevelName& known : kLevelNames) {
            if (known.name == text || std::to_string(known.level) == text) {
                max_level = static_cast<Level>(known.level);
            }
        }
    }
    if (const char* value = std::getenv("SYSTEMD_LOG_COLOR"); value != nullptr) {
        if (const auto wanted = parse_boolean(value)) {
            color = *wanted ? Color::always : Color::never;
        }
    }
}

namespace {

bool shows_color() {
    return color == Color::always || (color == Color::where_a_terminal_shows_it && isatty(STDERR_FILENO) == 1);
}

} // namespace

void write_line(Level level, std::string_view text) {
    std::string out;
    out.reserve(text.size() + 64);
    const bool paint = level <= Level::warning && shows_color();
    if (paint) {
        out += level <= Level::error ? "\x1b[1;31m" : "\x1b[1;33m";
    }
    out.append(program).append(": ");
    if (machine[0] != '\0') {
        out.append(machine).append(": ");
    }
    out += printable(text);
    if (paint) {
        out += "\x1b[0m";
    }
    out += line_end();
    // Nobody is left to tell when standard error is gone.
    [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, out.data(), out.size());
}

void failure(const Error& error) {
    write_line(Level::error, error.message());
    if (!error.hint().empty()) {
        const std::string hint = "  " + printable(error.hint()) + line_end();
        [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, hint.data(), hint.size());
    }
}

} // namespace nspawn::log
