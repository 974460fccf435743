#include "linux/termination.hpp"

namespace nspawn {

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

} // namespace

HeldTermination::HeldTermination() {
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : kSignals) {
        sigaddset(&held, signal);
    }
    pthread_sigmask(SIG_BLOCK, &held, &previous_);
}

HeldTermination::~HeldTermination() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }

bool is_termination_requested() {
    sigset_t pending;
    if (sigpending(&pending) < 0) {
        return false;
    }
    for (const int signal : kSignals) {
        if (sigismember(&pending, signal) == 1) {
            return true;
        }
    }
    return false;
}

} // namespace nspawn
