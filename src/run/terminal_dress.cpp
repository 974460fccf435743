#include "run/terminal_dress.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace nspawn {

namespace {

constexpr size_t kMaxParameters = 128; // a longer control sequence is passed on, but not understood
constexpr size_t kMaxBackground = 64;
constexpr char kEscape = 0x1b;
constexpr char kCancel = 0x18;
constexpr char kSubstitute = 0x1a;

std::string_view environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

// Terminals and multiplexers that keep a window title, by the beginning of $TERM.
constexpr std::string_view kCapableTerminals[] = {"xterm", "screen",  "tmux",    "rxvt",   "alacritty",
                                                  "kitty", "foot",    "konsole", "gnome",  "vte",
                                                  "st-",   "wezterm", "ghostty", "mlterm", "contour"};

bool is_utf8_locale() {
    // The first that is set and not empty counts, locale(7).
    for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        if (const std::string_view value = environment(name); !value.empty()) {
            return value.find("UTF-8") != std::string_view::npos || value.find("utf8") != std::string_view::npos;
        }
    }
    return false;
}

TerminalTraits::Colors colors_of(std::string_view term, std::string_view colorterm) {
    if (colorterm == "truecolor" || colorterm == "24bit" || term.ends_with("-direct")) {
        return TerminalTraits::Colors::all;
    }
    return term.find("256color") != std::string_view::npos ? TerminalTraits::Colors::many
                                                           : TerminalTraits::Colors::sixteen;
}

// "FOREGROUND;BACKGROUND" or with a third field between, as numbers of the sixteen colours.
TerminalTraits::Ground ground_of(std::string_view colorfgbg) {
    const auto color = parse_unsigned(colorfgbg.substr(colorfgbg.rfind(';') + 1));
    if (!color || *color > 15 || colorfgbg.find(';') == std::string_view::npos) {
        return TerminalTraits::Ground::unknown;
    }
    return *color < 7 || *color == 8 ? TerminalTraits::Ground::dark : TerminalTraits::Ground::light;
}

bool is_sgr_parameters(std::string_view text) {
    return text.size() <= kMaxBackground &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == ';' || c == ':'; });
}

// What a "select graphic rendition" sequence leaves behind as background: the terminal's own?
bool leaves_own_background(std::string_view parameters) {
    bool own = false;
    const std::vector<std::string_view> list = split(parameters, ';');
    for (size_t i = 0; i < list.size(); ++i) {
        const std::string_view code_text = list[i].substr(0, list[i].find(':'));
        const uint64_t code = code_text.empty() ? 0 : parse_unsigned(code_text).value_or(1);
        if (code == 0 || code == 49) {
            own = true;
        } else if ((code >= 40 && code <= 48) || (code >= 100 && code <= 107)) {
            own = false;
        }
        const bool is_extended = (code == 38 || code == 48 || code == 58) && code_text.size() == list[i].size();
        if (is_extended && i + 1 < list.size()) {
            i += list[i + 1] == "2" ? 4 : 2; // 2;R;G;B or 5;N
        }
    }
    return own;
}

} // namespace

TerminalTraits TerminalTraits::from_environment() {
    TerminalTraits traits;
    const std::string_view term = environment("TERM");
    const std::string_view colorterm = environment("COLORTERM");
    if (term.empty() || term == "dumb") {
        return traits;
    }
    traits.is_capable =
        !colorterm.empty() || std::any_of(std::begin(kCapableTerminals), std::end(kCapableTerminals),
                                          [term](std::string_view known) { return term.starts_with(known); });
    traits.is_utf8 = is_utf8_locale();
    traits.wants_no_color = !environment("NO_COLOR").empty();
    traits.colors = colors_of(term, colorterm);
    traits.ground = ground_of(environment("COLORFGBG"));
    return traits;
}

std::string choose_tint(const DressOptions& options) {
    const TerminalTraits& terminal = options.terminal;
    if (terminal.colors == TerminalTraits::Colors::none) {
        return {};
    }
    if (options.background) {
        if (!is_sgr_parameters(*options.background)) {
            throw Error(fmt::format("background \"{}\" is no ANSI colour", *options.background),
                        "Give it as in an SGR sequence, for example 44 or 48;5;17 or 48;2;0;0;60.");
        }
        return *options.background;
    }
    if (!options.tint || !terminal.is_capable || terminal.wants_no_color ||
        terminal.ground == TerminalTraits::Ground::unknown) {
        return {};
    }
    const bool dark = terminal.ground == TerminalTraits::Ground::dark;
    switch (terminal.colors) {
    case TerminalTraits::Colors::all:
        return dark ? "48;2;10;18;48" : "48;2;222;230;250";
    case TerminalTraits::Colors::many:
        return dark ? "48;5;17" : "48;5;189";
    default:
        return {}; // the sixteen colours have no blue that text can be read on
    }
}

TerminalDress::TerminalDress(const DressOptions& options) {
    if (options.title && options.terminal.is_capable) {
        // The title that was there is put on the terminal's stack; terminals without one get an empty title at the
        // end, which their shell replaces with its next prompt.
        opening_ = fmt::format("\x1b[22;0t\x1b]0;{}Container {} on {}\a", options.terminal.is_utf8 ? "🔵 " : "",
                               printable(options.machine), printable(options.host));
        closing_ = "\x1b]0;\a\x1b[23;0t";
    }
    if (const std::string parameters = choose_tint(options); !parameters.empty()) {
        tint_ = fmt::format("\x1b[{}m", parameters);
        // What lies below the cursor takes the colour too, and loses it again.
        opening_ += tint_ + "\x1b[J";
        closing_.insert(0, "\x1b[0m\x1b[J");
        parameters_.reserve(kMaxParameters);
    }
}

bool TerminalDress::end_control_sequence(char final) {
    state_ = State::text;
    if (final == 'm') {
        return leaves_own_background(parameters_);
    }
    return final == 'p' && parameters_ == "!"; // soft reset
}

bool TerminalDress::resets_background(char byte) {
    if (byte == kCancel || byte == kSubstitute) { // ends whatever was begun
        state_ = State::text;
        return false;
    }
    if (byte == kEscape) {
        const bool in_string = state_ == State::string || state_ == State::string_escape;
        state_ = in_string ? State::string_escape : State::escape;
        return false;
    }
    switch (state_) {
    case State::text:
        return false;
    case State::escape:
        parameters_.clear();
        if (byte == '[') {
            state_ = State::control;
        } else if (byte == ']' || byte == 'P' || byte == '^' || byte == '_' || byte == 'X') {
            state_ = State::string; // operating system command, device control, private message, …
        } else {
            state_ = State::text;
            return byte == 'c'; // full reset
        }
        return false;
    case State::control:
    case State::control_other:
        if (byte >= 0x40 && byte <= 0x7e) {
            return state_ == State::control ? end_control_sequence(byte) : (state_ = State::text, false);
        }
        if (byte < 0x20) {
            return false; // a terminal obeys control characters inside a sequence
        }
        if (parameters_.size() == kMaxParameters) {
            state_ = State::control_other;
        } else {
            parameters_ += byte;
        }
        return false;
    case State::string:
        if (byte == '\a') {
            state_ = State::text;
        }
        return false;
    case State::string_escape:
        if (byte == '\\') {
            state_ = State::text;
            return false;
        }
        // ESC has cut the string off and begins something new.
        state_ = State::escape;
        return resets_background(byte);
    }
    return false;
}

} // namespace nspawn
