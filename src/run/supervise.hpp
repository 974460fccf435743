// supervise.hpp — stays with the container until it ends: signals, console, notifications, the child's last words.
//
// Owns the event loop and the caller's terminal for the whole life of the machine, across reboots inside it. Never
// allocates while it waits. Behaviour: spec C.8; systemd-nspawn(1) "EXIT STATUS".
#pragma once

#include "linux/event_loop.hpp"
#include "linux/signal_fd.hpp"
#include "run/console.hpp"
#include "run/launch.hpp"
#include "run/service_manager.hpp"

#include <array>
#include <optional>

namespace nspawn {

// How one start of the container ended.
struct Ending {
    enum class Kind {
        exited, // `status`
        powered_off,
        rebooted,
        killed,     // by `signal`, which nobody here sent
        terminated, // because we were told to stop at once
        failed,     // before the payload ran; `error` says why
    };
    Kind kind = Kind::exited;
    int status = 0;
    int signal = 0;
    std::optional<Error> error;
};

class Supervisor {
public:
    // Blocks the signals it is going to read; before the first launch.
    // `ignored_signals`: bit N-1 is set for a signal N that our caller had ignored.
    Supervisor(const Plan& plan, const ConsoleOptions& console, uint64_t ignored_signals, Timeline& timeline);
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    // Until the container of this launch has ended.
    Ending watch_over(Launch& launch);
    // The terminal is the caller's again; everything the container wrote has reached it.
    void release_terminal();
    ServiceManager& service_manager() { return manager_; }

private:
    void watch_all(Launch& launch);
    void forget_all(const Launch& launch);
    void on_signal();
    bool on_handshake();
    void on_notification();
    void watch_network();
    void on_network();
    void restart_network();
    void payload_runs();
    void stop_requested(int signal, size_t counter);
    void kill_leader();
    void reap_strangers();
    Ending read_ending(Launch& launch);
    void on_last_words(Launch& launch);

    const Plan& plan_;
    Timeline& timeline_;
    EventLoop loop_;
    SignalFd signals_;
    Console console_;
    ServiceManager manager_;
    std::optional<Watchdog> watchdog_;

    Launch* launch_ = nullptr;
    UniqueFd kernel_log_; // keeps readers of the container's /proc/kmsg waiting
    std::optional<Error> failure_;
    bool running_ = false;
    bool terminated_ = false;
    std::chrono::steady_clock::time_point network_death_{}; // of the last nspawn-network that has died
    int network_deaths_ = 0;                                // in short order
    EventLoop::TimerId network_restart_;
    std::array<unsigned, 4> stop_requests_{}; // one for each signal that asks to stop
};

} // namespace nspawn
