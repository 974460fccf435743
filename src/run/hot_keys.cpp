#include "run/hot_keys.hpp"

namespace nspawn {

namespace {

constexpr char kEscapeKey = 0x1d; // Ctrl-]
constexpr auto kTimeLimit = std::chrono::seconds(1);

} // namespace

HotKeys::Action HotKeys::next(char key, TimePoint now) {
    const bool armed = pressed_ >= 2 && now - times_[0] <= kTimeLimit;
    if (key != kEscapeKey) {
        pressed_ = 0;
        if (armed && (key == 'r' || key == 'p')) {
            return key == 'r' ? Action::reboot : Action::power_off;
        }
        return Action::none;
    }
    if (armed) {
        pressed_ = 0;
        return Action::kill;
    }
    times_[0] = pressed_ == 0 ? now : times_[1];
    times_[1] = now;
    ++pressed_;
    return Action::none;
}

HotKeys::Found HotKeys::scan(std::string_view typed, TimePoint now) {
    for (size_t i = 0; i < typed.size(); ++i) {
        if (const Action action = next(typed[i], now); action != Action::none) {
            return {action, i, i + 1};
        }
    }
    return {Action::none, typed.size(), typed.size()};
}

} // namespace nspawn
