#include "linux/signal_name.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstring>

namespace nspawn {

namespace {

// Second names of a signal, from signal(7). The C library calls 29 POLL; IO is what Linux users know.
struct Alias {
    std::string_view name;
    int signal;
};
constexpr Alias kAliases[] = {{"IO", SIGIO}, {"IOT", SIGIOT}, {"CLD", SIGCHLD}};

constexpr int kLastClassicSignal = 31;

// The name without "SIG", empty for a number that has none.
std::string_view abbreviation(int signal) {
    if (signal == SIGIO) {
        return "IO";
    }
    const char* name = signal <= kLastClassicSignal ? sigabbrev_np(signal) : nullptr;
    return name != nullptr ? name : "";
}

std::optional<int> classic_signal(std::string_view name) {
    for (const Alias& alias : kAliases) {
        if (equal_ignoring_case(name, alias.name)) {
            return alias.signal;
        }
    }
    for (int signal = 1; signal <= kLastClassicSignal; ++signal) {
        const char* known = sigabbrev_np(signal);
        if (known != nullptr && equal_ignoring_case(name, known)) {
            return signal;
        }
    }
    return std::nullopt;
}

// `offset` is what follows "RTMIN" or "RTMAX": nothing, or the sign and a number.
std::optional<int> real_time_signal(int base, std::string_view offset, char sign) {
    if (offset.empty()) {
        return base;
    }
    if (offset.front() != sign) {
        return std::nullopt;
    }
    const auto distance = parse_unsigned(offset.substr(1));
    if (!distance || *distance > static_cast<uint64_t>(SIGRTMAX - SIGRTMIN)) {
        return std::nullopt;
    }
    const int count = static_cast<int>(*distance);
    return sign == '+' ? base + count : base - count;
}

} // namespace

std::optional<int> parse_signal(std::string_view text) {
    if (const auto number = parse_unsigned(text)) {
        const bool valid = *number > 0 && *number <= static_cast<uint64_t>(SIGRTMAX);
        return valid ? std::optional<int>(static_cast<int>(*number)) : std::nullopt;
    }
    if (starts_with_ignoring_case(text, "SIG")) {
        text.remove_prefix(3);
    }
    if (starts_with_ignoring_case(text, "RTMIN")) {
        return real_time_signal(SIGRTMIN, text.substr(5), '+');
    }
    if (starts_with_ignoring_case(text, "RTMAX")) {
        return real_time_signal(SIGRTMAX, text.substr(5), '-');
    }
    return classic_signal(text);
}

std::string signal_name(int signal) {
    if (signal >= SIGRTMIN && signal <= SIGRTMAX) {
        return fmt::format("SIGRTMIN+{}", signal - SIGRTMIN);
    }
    const std::string_view name = signal > 0 ? abbreviation(signal) : "";
    return name.empty() ? fmt::format("{}", signal) : fmt::format("SIG{}", name);
}

std::vector<std::string> signal_names() {
    std::vector<std::string> names;
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
        names.push_back(signal_name(signal));
    }
    return names;
}

} // namespace nspawn
