#include "docs/completion.hpp"

#include <fmt/format.h>

namespace nspawn::docs {

namespace {

constexpr std::string_view kStart = R"(#compdef nspawn systemd-nspawn
# zsh completion for nspawn; generated from the option table, do not edit

(( $+functions[_nspawn_machines] )) || _nspawn_machines() {
    local -a names
    names=( {/etc,/run,/var/lib,/usr/local/lib,/usr/lib}/machines/*(N:t) )
    names=( ${${${names:#*.nspawn}%.raw}%.v} )
    _wanted machines expl 'machine' compadd -a names
}

_nspawn() {
    local expl
    _arguments -s -S -A '-*' \
)";

constexpr std::string_view kEnd = R"(        '(-)1:command or path:_files' \
        '*::argument:_files'
}

_nspawn "$@"
)";

// Inside '…' and an _arguments specification.
std::string quoted(std::string_view text, std::string_view special) {
    std::string out;
    for (const char c : text) {
        if (c == '\'') {
            out += "'\\''";
            continue;
        }
        if (special.find(c) != std::string_view::npos) {
            out += '\\';
        }
        out += c;
    }
    return out;
}

std::string action(const Option& option) {
    const std::vector<std::string> words = value_words(option);
    if (!words.empty() && takes_comma_list(option)) {
        return fmt::format("_sequence compadd - {}", fmt::join(words, " "));
    }
    if (!words.empty()) {
        return quoted(fmt::format("({})", fmt::join(words, " ")), ":");
    }
    switch (option.completion) {
    case Completion::directory:
        return "_files -/";
    case Completion::file:
        return "_files";
    case Completion::machine:
        return "_nspawn_machines";
    case Completion::user:
        return "_users";
    case Completion::environment_variable:
        return "_parameters -g \"*export*\"";
    default:
        return " ";
    }
}

// "-D+", "--directory=", "--volatile=-": how each spelling takes its value.
std::string with_value_mark(const Option& option, const std::string& spelling) {
    const bool is_long = spelling.starts_with("--");
    switch (option.argument) {
    case Argument::none:
        return spelling;
    case Argument::required:
        return spelling + (is_long ? "=" : "+");
    case Argument::optional:
        return spelling + (is_long ? "=-" : ""); // a letter takes no optional value
    }
    return spelling;
}

std::string specification(const Option& option, const std::string& spelling, std::string_view exclusions) {
    const std::string marked = with_value_mark(option, spelling);
    const bool takes_value = marked != spelling;
    return fmt::format("        '{}{}[{}]{}' \\\n", exclusions, marked, quoted(option.help, "[]:\\"),
                       takes_value ? fmt::format("{}:{}:{}", option.argument == Argument::optional ? ":" : "",
                                                 quoted(option.metavar, ":[]\\"), action(option))
                                   : "");
}

} // namespace

std::string zsh_completion() {
    std::string out(kStart);
    for (const Option& option : option_table()) {
        if (option.name.empty() && option.letter == '\0') {
            continue;
        }
        const std::vector<std::string> all = spellings(option);
        const std::string exclusions =
            option.repeat == Repeat::last ? fmt::format("({})", fmt::join(all, " ")) : std::string("*");
        for (const std::string& spelling : all) {
            out += specification(option, spelling, exclusions);
        }
    }
    return out + std::string(kEnd);
}

} // namespace nspawn::docs
