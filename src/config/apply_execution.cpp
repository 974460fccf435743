// What runs in the container: command, environment, user, signal, limits, processors, credentials.
#include "base/path.hpp"
#include "config/apply.hpp"
#include "config/machine_name.hpp"
#include "linux/personality.hpp"
#include "linux/resource_limit.hpp"
#include "linux/signal_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

namespace nspawn::apply {

namespace {

// MAX_ARG_STRLEN of execve(2): no single string handed to a program may be longer, its NUL included.
constexpr size_t kLongestArgument = 131071;
constexpr unsigned kCpuLimit = 8192; // the largest NR_CPUS a kernel can be built with

void require_executable_length(std::string_view text) {
    if (text.size() > kLongestArgument) {
        throw Error(fmt::format("longer than the {} bytes the kernel hands to a program", kLongestArgument));
    }
}

bool is_variable_name(std::string_view name) {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    return !name.empty() && is_letter(name.front()) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

void set_variable(Draft& draft, std::string_view name, std::optional<std::string> value) {
    for (EnvironmentEntry& entry : draft.config.environment) {
        if (entry.name == name) {
            entry.value = std::move(value);
            return;
        }
    }
    draft.config.environment.push_back({std::string(name), std::move(value)});
}

// "NAME=VALUE", or on the command line "NAME": the caller's value, or none when the caller has none.
void add_variable(Draft& draft, std::string_view text, bool bare_names) {
    require_executable_length(text);
    const size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    if (!is_variable_name(name)) {
        throw Error(fmt::format("\"{}\" is not the name of an environment variable", printable(name.substr(0, 80))));
    }
    if (equals != std::string_view::npos) {
        set_variable(draft, name, std::string(text.substr(equals + 1)));
    } else if (!bare_names) {
        throw Error(fmt::format("{} has no \"=VALUE\"", name));
    } else if (const auto own = draft.caller.variable(name)) {
        set_variable(draft, name, std::string(*own));
    } else {
        set_variable(draft, name, std::nullopt);
    }
}

std::vector<std::string> quoted_words(std::string_view text) {
    auto words = split_words(text);
    if (!words) {
        throw Error("a quote is left open or an escape is unknown");
    }
    for (const std::string& word : *words) {
        require_executable_length(word);
        if (word.find('\0') != std::string::npos) {
            throw Error("a word may not contain a NUL byte");
        }
    }
    return std::move(*words);
}

unsigned parse_cpu(std::string_view text) {
    const auto number = parse_unsigned(text);
    if (!number) {
        throw Error(fmt::format("\"{}\" is not the number of a processor", printable(text.substr(0, 80))));
    }
    if (*number >= kCpuLimit) {
        throw Error(fmt::format("processors are numbered 0 to {}", kCpuLimit - 1));
    }
    return static_cast<unsigned>(*number);
}

// "0-3,8" or "0-3 8"; sorted, each once.
std::vector<unsigned> parse_cpus(std::string_view text) {
    std::vector<unsigned> cpus;
    for (const std::string_view part : split_any(text, ", \t\n\r")) {
        const size_t dash = part.find('-');
        const unsigned first = parse_cpu(part.substr(0, dash));
        const unsigned last = dash == std::string_view::npos ? first : parse_cpu(part.substr(dash + 1));
        if (first > last) {
            throw Error(fmt::format("the range {} runs backwards", printable(part)));
        }
        for (unsigned cpu = first; cpu <= last; ++cpu) {
            cpus.push_back(cpu);
        }
        // A value may name a range many times over; it must not grow the list with it.
        std::sort(cpus.begin(), cpus.end());
        cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
    }
    return cpus;
}

} // namespace

void boot(Draft& draft, const Value& value) { draft.boot = boolean(value); }

void as_pid2(Draft& draft, const Value& value) { draft.as_pid2 = boolean(value); }

void parameters(Draft& draft, const Value& value) {
    for (std::string& word : quoted_words(value.text)) {
        draft.parameters.push_back(std::move(word));
    }
}

void working_directory(Draft& draft, const Value& value) {
    if (!is_absolute(value.text)) {
        throw Error("not an absolute path");
    }
    if (value.text.size() >= PATH_MAX) {
        throw Error(fmt::format("a path has at most {} bytes", PATH_MAX - 1));
    }
    std::string path = simplified(value.text);
    if (value.from_file() && !is_normalized(path)) {
        throw Error("the path goes up with \"..\"");
    }
    // In a container these are the kernel's and ours; a settings file may still name them, as with the original.
    for (const std::string_view kernels : {"/proc", "/sys", "/dev"}) {
        if (!value.from_file() && is_within(path, kernels)) {
            throw Error(fmt::format("the working directory may not be below {}", kernels));
        }
    }
    draft.config.working_directory = std::move(path);
}

void environment(Draft& draft, const Value& value) {
    if (!value.from_file()) {
        add_variable(draft, value.text, true);
        return;
    }
    for (const std::string& word : quoted_words(value.text)) {
        try {
            add_variable(draft, word, false);
        } catch (const Error& error) {
            reject_word(draft, value, error.message());
        }
    }
}

void user(Draft& draft, const Value& value) {
    if (!is_user_name(value.text)) {
        throw Error("not the name or number of a user");
    }
    draft.config.user = value.text;
}

void kill_signal(Draft& draft, const Value& value) {
    draft.config.kill_signal = parse_signal(value.text);
    if (!draft.config.kill_signal) {
        throw Error(
            "not a signal (a name such as TERM, SIGINT or RTMIN+3, or a number; --kill-signal=help lists them)");
    }
}

void personality(Draft& draft, const Value& value) {
    if (!find_personality(value.text)) {
        throw Error(fmt::format("not an architecture this machine runs ({})", personality_list()));
    }
    draft.config.personality = std::string(value.text);
}

void oom_score_adjust(Draft& draft, const Value& value) {
    const auto number = parse_signed(value.text);
    if (!number || *number < -1000 || *number > 1000) {
        throw Error("not a number from -1000 to 1000");
    }
    draft.config.oom_score_adjust = static_cast<int>(*number);
}

void cpu_affinity(Draft& draft, const Value& value) {
    std::vector<unsigned> cpus = parse_cpus(value.text);
    if (value.from_file()) { // in files the lists add up
        const std::vector<unsigned>& present = draft.config.cpu_affinity;
        cpus.insert(cpus.end(), present.begin(), present.end());
        std::sort(cpus.begin(), cpus.end());
        cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
    }
    draft.config.cpu_affinity = std::move(cpus);
}

void limit(Draft& draft, const Value& value) {
    constexpr std::string_view kKeyPrefix = "Exec.Limit";
    std::string_view name = value.spelled;
    std::string_view text = value.text;
    if (value.from_file()) {
        name.remove_prefix(std::min(name.size(), kKeyPrefix.size()));
    } else {
        const size_t equals = text.find('=');
        if (equals == std::string_view::npos) {
            throw Error("expected NAME=SOFT[:HARD]");
        }
        name = text.substr(0, equals);
        text.remove_prefix(equals + 1);
    }
    const auto resource = parse_resource_name(name);
    if (!resource) {
        throw Error(fmt::format("\"{}\" is not a resource limit (--rlimit=help lists them)", printable(name)));
    }
    const auto parsed = parse_resource_limit(*resource, text);
    if (!parsed) {
        throw Error(
            fmt::format("not a value for {} (SOFT[:HARD] or infinity, soft not above hard)", resource_name(*resource)));
    }
    draft.config.limits[static_cast<size_t>(*resource)] = *parsed;
}

} // namespace nspawn::apply
