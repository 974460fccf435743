#include "docs/completion.hpp"

#include <fmt/format.h>

namespace nspawn::docs {

namespace {

constexpr std::string_view kStart = R"(# fish completion for nspawn; generated from the option table, do not edit

function __nspawn_machines
    for entry in {/etc,/run,/var/lib,/usr/local/lib,/usr/lib}/machines/*
        string match --regex --invert '\.nspawn$' -- (string replace --regex '.*/' '' -- $entry) \
            | string replace --regex '\.(raw|v)$' ''
    end
end

# True until the container's command begins: what follows it are not our options.
function __nspawn_before_command
    set --local skip no
    for word in (commandline --tokenize --cut-at-cursor --current-process)[2..]
        if test $skip = yes
            set skip no
        else if string match --quiet --regex -- $__nspawn_takes_value $word
            set skip yes
        else if not string match --quiet -- '-*' $word
            return 1
        end
    end
    return 0
end

)";

std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out + "'";
}

std::string arguments(const Option& option) {
    const std::vector<std::string> words = value_words(option);
    if (!words.empty() && takes_comma_list(option)) {
        return quoted(fmt::format("(__fish_append , {})", fmt::join(words, " ")));
    }
    if (!words.empty()) {
        return quoted(fmt::format("{}", fmt::join(words, " ")));
    }
    switch (option.completion) {
    case Completion::directory:
        return "'(__fish_complete_directories)'";
    case Completion::machine:
        return "'(__nspawn_machines)'";
    case Completion::user:
        return "'(__fish_complete_users)'";
    case Completion::environment_variable:
        return "'(set --names --export)'";
    default:
        return {};
    }
}

std::string line(std::string_view program, const Option& option) {
    std::string out = fmt::format("complete -c {} -n __nspawn_before_command", program);
    if (option.letter != '\0') {
        out += fmt::format(" -s {}", option.letter);
    }
    for (const std::string_view name : {option.name, option.alias}) {
        if (!name.empty()) {
            out += fmt::format(" -l {}", name);
        }
    }
    const bool takes_file = option.completion == Completion::file;
    if (option.argument == Argument::required) {
        out += takes_file ? " -r -F" : " -x";
    } else {
        out += " -f";
    }
    if (const std::string words = arguments(option); !words.empty()) {
        out += " -a " + words;
    }
    return out + " -d " + quoted(option.help) + "\n";
}

} // namespace

std::string fish_completion() {
    std::vector<std::string> with_value;
    std::string letters;
    for (const Option& option : option_table()) {
        if (option.name.empty() || option.argument != Argument::required) {
            continue;
        }
        for (const std::string& spelling : spellings(option)) {
            if (spelling.starts_with("--")) {
                with_value.push_back(spelling);
            } else {
                letters += spelling.back();
            }
        }
    }
    with_value.push_back(fmt::format("-[^-]*[{}]|-[{}]", letters, letters)); // also bundled: -xbD
    std::string out(kStart);
    out += fmt::format("set --global __nspawn_takes_value '^({})$'\n", fmt::join(with_value, "|"));
    for (const char* program : {"nspawn", "systemd-nspawn"}) {
        out += "\n";
        for (const Option& option : option_table()) {
            if (!option.name.empty() || option.letter != '\0') {
                out += line(program, option);
            }
        }
    }
    return out;
}

} // namespace nspawn::docs
