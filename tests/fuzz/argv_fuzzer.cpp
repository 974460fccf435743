// Any command line: never a crash, never a message that could talk to a terminal, and what --show-config prints means
// the same when it is given as options again. Words are separated by NUL bytes, as in /proc/PID/cmdline.
#include "base/error.hpp"
#include "base/text.hpp"
#include "config/resolve.hpp"
#include "planted_bug.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace nspawn;

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

CommandLine parse(std::vector<std::string> words) {
    words.insert(words.begin(), "nspawn");
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    return parse_command_line(static_cast<int>(words.size()), argv.data());
}

// What the fuzzer must not do: open whatever file it thinks of.
bool loads_credentials(const CommandLine& line) {
    return std::any_of(line.assignments.begin(), line.assignments.end(),
                       [](const Assignment& each) { return each.option->name == "load-credential"; });
}

// One value of the table of final values, as an option.
std::string as_option(const Option& option, const std::string& value) {
    const bool lone_switch = option.argument == Argument::none;
    return lone_switch ? "--" + std::string(option.name) : "--" + std::string(option.name) + "=" + value;
}

// The command line that says at length what `resolved` came to. Credentials are not shown, and so not said again.
std::vector<std::string> spelled_out(const Resolved& resolved) {
    std::vector<std::string> words;
    for (const Provenance& each : resolved.provenance) {
        const bool said = each.origins.front().kind == Origin::Kind::command_line;
        if (!said || each.option->name.empty() || each.option->name == "set-credential") {
            continue;
        }
        for (const std::string& value : each.values) {
            const bool off = each.option->argument == Argument::none && value == "no";
            const bool removed = each.option->name == "setenv" && value.find('=') == std::string::npos;
            if (!off && !removed) {
                words.push_back(as_option(*each.option, value));
            }
        }
    }
    words.emplace_back("--");
    words.insert(words.end(), resolved.config.words.begin(), resolved.config.words.end());
    return words;
}

bool same_values(const Resolved& a, const Resolved& b) {
    for (size_t row = 0; row < a.provenance.size(); ++row) {
        const std::string_view name = a.provenance[row].option->name;
        if (name != "set-credential" && name != "setenv" && a.provenance[row].values != b.provenance[row].values) {
            return false;
        }
    }
    return true;
}

void check_round_trip(const Resolved& resolved) {
    const Resolved again =
        resolve(parse(spelled_out(resolved)), std::span<const Assignment>(), Caller{}, EnvironmentSwitches{});
    require(same_values(resolved, again));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::vector<std::string> words;
    for (const std::string_view word : split(std::string_view(reinterpret_cast<const char*>(data), size), '\0')) {
        words.emplace_back(word);
    }
    try {
        const CommandLine line = parse(words);
        require(line.words.size() <= words.size() &&
                std::equal(line.words.rbegin(), line.words.rend(), words.rbegin()));
        for (const Assignment& assignment : line.assignments) {
            require(assignment.option != nullptr && printable(assignment.describe()) == assignment.describe());
        }
        const Config config = read_command_line(line, Caller{});
        fuzz::planted_bug(!config.machine.empty(), words.front());
        if (!line.request && !loads_credentials(line)) {
            check_round_trip(resolve(line, std::span<const Assignment>(), Caller{}, EnvironmentSwitches{}));
        }
    } catch (const Error& error) {
        require(!error.message().empty() && printable(error.message()) == error.message());
    }
    return 0;
}
