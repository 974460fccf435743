// event_loop.hpp — waits for descriptors and deadlines, and calls whoever asked.
//
// Owns one epoll descriptor and two small fixed tables; nothing is allocated after it was made. Owns none of the
// watched descriptors: forget() one before closing it. A handler may watch, change and forget anything, itself
// included; an event that was already fetched for a forgotten descriptor is dropped. Deadlines are the timeout of
// epoll_wait(2), so a timer costs no descriptor. One thread only.
// Source: epoll(7), epoll_ctl(2), clock_gettime(2).
#pragma once

#include "base/inline_function.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <array>
#include <chrono>
#include <cstdint>

#include <sys/epoll.h>

namespace nspawn {

class EventLoop {
public:
    using Handler = InlineFunction<void(uint32_t events)>;
    using TimerHandler = InlineFunction<void()>;
    using Duration = std::chrono::milliseconds;

    // Names one started timer; a default one names none. Stays harmless after the timer has fired.
    struct TimerId {
        uint32_t slot = UINT32_MAX;
        uint32_t generation = 0;
    };

    static constexpr size_t kMaxWatches = 32;
    static constexpr size_t kMaxTimers = 8;

    static Result<EventLoop> create();

    // Calls `handler` with EPOLL* bits whenever `fd` is ready for `events` (level-triggered; EPOLLERR and EPOLLHUP
    // always). EEXIST: watched already. ENOSPC: table full. EPERM: a file that is always ready (epoll_ctl(2)).
    Result<void> watch(int fd, uint32_t events, Handler handler);
    // Other events for a watched descriptor; the handler stays. ENOENT: not watched.
    Result<void> change(int fd, uint32_t events);
    // Fine for a descriptor that is not watched.
    void forget(int fd);
    // For a descriptor that is about to be closed and has no duplicates: the kernel forgets it by itself.
    void forget_closed(int fd);
    [[nodiscard]] bool is_watching(int fd) const;

    // Calls `handler` once, `after` from now (never early). ENOSPC: table full.
    Result<TimerId> start_timer(Duration after, TimerHandler handler);
    void cancel_timer(TimerId timer);

    // Dispatches until stop(). EDEADLK when there is nothing left that could ever happen.
    Result<void> run();
    // Waits at most `timeout` (negative: without limit) for one batch of events and dispatches it.
    Result<void> run_once(Duration timeout);
    void stop() { stopped_ = true; }

private:
    struct Watch {
        int fd = -1;
        uint32_t generation = 0;
        Handler handler;
    };
    struct Timer {
        bool armed = false;
        uint32_t generation = 0;
        std::chrono::steady_clock::time_point deadline;
        TimerHandler handler;
    };

    explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}

    [[nodiscard]] Watch* find(int fd);
    Result<void> control(int operation, int fd, uint32_t events, const Watch& watch);
    [[nodiscard]] bool is_idle() const;
    [[nodiscard]] int wait_milliseconds(Duration timeout) const;
    void dispatch(const epoll_event& event);
    void fire_timers();

    UniqueFd epoll_;
    std::array<Watch, kMaxWatches> watches_{};
    std::array<Timer, kMaxTimers> timers_{};
    bool stopped_ = false;
};

} // namespace nspawn
