// termination.hpp — a request to end that arrives while something half done is lying about.
//
// HeldTermination keeps SIGINT, SIGTERM, SIGHUP and SIGQUIT waiting as long as it lives, for this thread and those that
// it starts: work that takes long looks now and then and stops, its owner clears away, and then the signal does what it
// always does. Never installs a handler. Source: sigpending(2), signal(7).
#pragma once

#include <signal.h>

namespace nspawn {

class HeldTermination {
public:
    HeldTermination();
    HeldTermination(const HeldTermination&) = delete;
    HeldTermination& operator=(const HeldTermination&) = delete;
    ~HeldTermination();

private:
    sigset_t previous_{};
};

// One of these signals waits, whoever blocked it.
bool is_termination_requested();

} // namespace nspawn
