// hot_keys.hpp — the keys by which a person at an interactive console speaks to the supervisor.
//
// Ctrl-] three times within a second kills, Ctrl-] Ctrl-] r reboots, Ctrl-] Ctrl-] p powers off. Keys that may be part
// of a combination are not held back: the container gets them too, only the key that completes one is kept. Any other
// key in between starts afresh. Source: systemd-nspawn(1), spec C.8.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

namespace nspawn {

class HotKeys {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    enum class Action { none, kill, reboot, power_off };
    struct Found {
        Action action = Action::none;
        size_t before = 0; // bytes for the container
        size_t used = 0;   // bytes dealt with: those, and the key that completed a combination
    };

    // Looks at what was typed at `now`, up to the end or to the first completed combination.
    Found scan(std::string_view typed, TimePoint now);

private:
    Action next(char key, TimePoint now);

    unsigned pressed_ = 0; // Ctrl-] in a row
    TimePoint times_[2]{}; // of the last ones, oldest first
};

} // namespace nspawn
