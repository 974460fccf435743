#include "config/assignment.hpp"

#include "base/text.hpp"
#include "config/option.hpp"

#include <fmt/format.h>

namespace nspawn {

namespace {

// A value in a message is there to be recognised, not to fill the screen.
constexpr size_t kShownBytes = 120;

std::string shown(std::string_view value) {
    if (value.size() > kShownBytes) {
        return printable(value.substr(0, kShownBytes)) + "…";
    }
    return printable(value);
}

} // namespace

std::string Origin::describe() const {
    switch (kind) {
    case Kind::built_in:
        return "built-in default";
    case Kind::implied:
        return "implied by " + file;
    case Kind::environment:
        return "$" + file;
    case Kind::settings_file:
        return line == 0 ? printable(file) : fmt::format("{}:{}", printable(file), line);
    case Kind::bundle:
        return "config.json: " + printable(file);
    case Kind::command_line:
        break;
    }
    return "command line";
}

std::string Assignment::shown_value() const {
    const size_t colon = value.find(':');
    if (option != nullptr && option->secret && colon != std::string::npos) {
        return shown(value.substr(0, colon)) + ":…";
    }
    return shown(value);
}

std::string Assignment::describe() const {
    if (origin.kind == Origin::Kind::settings_file) {
        const std::string_view key = std::string_view(spelled).substr(spelled.find('.') + 1);
        return fmt::format("{}: {}={}", origin.describe(), key, shown_value());
    }
    if (origin.kind == Origin::Kind::bundle) {
        return fmt::format("{}: {}", origin.describe(), shown_value());
    }
    if (!has_value) {
        return spelled;
    }
    return spelled.starts_with("--") ? fmt::format("{}={}", spelled, shown_value())
                                     : fmt::format("{} {}", spelled, shown_value());
}

} // namespace nspawn
