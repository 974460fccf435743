#include "docs/completion.hpp"

#include <fmt/format.h>

namespace nspawn::docs {

namespace {

constexpr std::string_view kStart = R"(# bash completion for nspawn; generated from the option table, do not edit

# Names of the machines whose trees lie in the image directories.
_nspawn_machines() {
    local entry name
    for entry in /etc/machines/* /run/machines/* /var/lib/machines/* /var/lib/container/* \
                 /usr/local/lib/machines/* /usr/lib/machines/*; do
        name=${entry##*/}
        name=${name%.raw}
        name=${name%.v}
        [[ -e $entry && $name =~ ^[A-Za-z0-9.-]+$ && $name != *.nspawn ]] && printf '%s\n' "$name"
    done
}

# Sets COMPREPLY to the words of "$1" that start with $cur; with a second argument, to those that can follow the last
# comma in $cur.
_nspawn_words() {
    local prefix='' stem=$cur
    if [[ -n ${2-} && $cur == *,* ]]; then
        prefix=${cur%,*},
        stem=${cur##*,}
    fi
    mapfile -t COMPREPLY < <(compgen -P "$prefix" -W "$1" -- "$stem")
}
)";

constexpr std::string_view kEnd = R"(
_nspawn() {
    local cur=${COMP_WORDS[COMP_CWORD]} option='' i=1 word
    COMPREPLY=()

    # Find the option whose value is being typed. "--name=value" arrives as three words.
    while (( i < COMP_CWORD )); do
        word=${COMP_WORDS[i]}
        option=''
        if [[ $word == -- || $word != -* ]]; then
            # The container's command has begun: its files are not ours to know.
            return
        fi
        if [[ ${COMP_WORDS[i + 1]} == = ]]; then
            option=$word
            (( i + 1 == COMP_CWORD )) && cur=
            (( i += 3 ))
        elif _nspawn_takes_value "$word"; then
            option=$word
            (( i += 2 ))
        else
            (( i += 1 ))
        fi
    done
    if (( i > COMP_CWORD )); then
        _nspawn_value "$option"
    elif [[ $cur == -* ]]; then
        _nspawn_words "$_nspawn_options"
        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
    elif [[ -n $cur ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}

complete -F _nspawn nspawn systemd-nspawn
)";

std::string joined_pattern(const Option& option) { return fmt::format("{}", fmt::join(spellings(option), "|")); }

// What to do for the value of one option.
std::string action(const Option& option) {
    const std::vector<std::string> words = value_words(option);
    if (!words.empty()) {
        std::string text = fmt::format("_nspawn_words '{}'", fmt::join(words, " "));
        if (takes_comma_list(option)) {
            text += " ,";
        }
        return text;
    }
    switch (option.completion) {
    case Completion::directory:
        return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")";
    case Completion::file:
        return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")";
    case Completion::machine:
        return "_nspawn_words \"$(_nspawn_machines)\"";
    case Completion::user:
        return "mapfile -t COMPREPLY < <(compgen -u -- \"$cur\")";
    case Completion::environment_variable:
        return "mapfile -t COMPREPLY < <(compgen -e -- \"$cur\")";
    default:
        return {};
    }
}

} // namespace

std::string bash_completion() {
    std::string names;
    std::string with_value;
    std::string values;
    for (const Option& option : option_table()) {
        for (const std::string& spelling : spellings(option)) {
            const bool shows_equals = option.argument == Argument::required && spelling.starts_with("--");
            names += fmt::format("{}{} ", spelling, shows_equals ? "=" : "");
        }
        if (option.name.empty()) {
            continue;
        }
        if (option.argument == Argument::required) {
            with_value += fmt::format("{}{}", with_value.empty() ? "" : "|", joined_pattern(option));
            if (option.letter != '\0') { // bundled behind letters without a value: -xbD
                with_value += fmt::format("|-[!-]*{}", option.letter);
            }
        }
        if (const std::string text = action(option); !text.empty()) {
            values += fmt::format("    {}{}) {} ;;\n", joined_pattern(option),
                                  option.letter != '\0' ? fmt::format("|-[!-]*{}", option.letter) : "", text);
        }
    }
    names.pop_back();
    return fmt::format("{}\n_nspawn_options='{}'\n\n"
                       "_nspawn_takes_value() {{\n    case $1 in\n    {}) return 0 ;;\n    esac\n    return 1\n}}\n\n"
                       "_nspawn_value() {{\n    case $1 in\n{}    esac\n}}\n{}",
                       kStart, names, with_value, values, kEnd);
}

} // namespace nspawn::docs
