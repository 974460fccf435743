#include "linux/event_loop.hpp"

#include <algorithm>
#include <climits>

namespace nspawn {

namespace {

using Clock = std::chrono::steady_clock;

// What the kernel hands back with an event: which slot, and which tenant of that slot.
uint64_t tag_of(size_t slot, uint32_t generation) { return static_cast<uint64_t>(generation) << 32 | slot; }

} // namespace

Result<EventLoop> EventLoop::create() {
    UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) {
        return last_error("epoll_create1");
    }
    return EventLoop(std::move(epoll));
}

EventLoop::Watch* EventLoop::find(int fd) {
    auto* const found =
        std::find_if(watches_.begin(), watches_.end(), [fd](const Watch& watch) { return watch.fd == fd; });
    return found == watches_.end() ? nullptr : found;
}

bool EventLoop::is_watching(int fd) const {
    return fd >= 0 && std::any_of(watches_.begin(), watches_.end(), [fd](const Watch& w) { return w.fd == fd; });
}

Result<void> EventLoop::control(int operation, int fd, uint32_t events, const Watch& watch) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag_of(static_cast<size_t>(&watch - watches_.data()), watch.generation);
    return check(epoll_ctl(epoll_.get(), operation, fd, &event), "epoll_ctl");
}

Result<void> EventLoop::watch(int fd, uint32_t events, Handler handler) {
    if (fd < 0) {
        return SystemError{EBADF, "epoll_ctl"};
    }
    if (find(fd) != nullptr) {
        return SystemError{EEXIST, "epoll_ctl"};
    }
    Watch* const slot = find(-1);
    if (slot == nullptr) {
        return SystemError{ENOSPC, "epoll_ctl"};
    }
    if (const Result<void> added = control(EPOLL_CTL_ADD, fd, events, *slot); !added.ok()) {
        return added;
    }
    slot->fd = fd;
    slot->handler = handler;
    return {};
}

Result<void> EventLoop::change(int fd, uint32_t events) {
    const Watch* const slot = fd < 0 ? nullptr : find(fd);
    if (slot == nullptr) {
        return SystemError{ENOENT, "epoll_ctl"};
    }
    return control(EPOLL_CTL_MOD, fd, events, *slot);
}

void EventLoop::forget(int fd) {
    if (is_watching(fd)) {
        // Fails only for a descriptor that was closed too early; the kernel has dropped it then.
        [[maybe_unused]] const int ignored = epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
        forget_closed(fd);
    }
}

void EventLoop::forget_closed(int fd) {
    Watch* const slot = fd < 0 ? nullptr : find(fd);
    if (slot != nullptr) {
        slot->fd = -1;
        ++slot->generation;
    }
}

Result<EventLoop::TimerId> EventLoop::start_timer(Duration after, TimerHandler handler) {
    auto* const slot = std::find_if(timers_.begin(), timers_.end(), [](const Timer& timer) { return !timer.armed; });
    if (slot == timers_.end()) {
        return SystemError{ENOSPC, "start_timer"};
    }
    slot->armed = true;
    slot->deadline = Clock::now() + after;
    slot->handler = handler;
    return TimerId{static_cast<uint32_t>(slot - timers_.begin()), slot->generation};
}

void EventLoop::cancel_timer(TimerId timer) {
    if (timer.slot < timers_.size() && timers_[timer.slot].generation == timer.generation) {
        timers_[timer.slot].armed = false;
        ++timers_[timer.slot].generation;
    }
}

void EventLoop::fire_timers() {
    const Clock::time_point now = Clock::now();
    for (Timer& timer : timers_) {
        if (timer.armed && timer.deadline <= now) {
            TimerHandler handler = timer.handler; // the slot may be taken again by the handler itself
            timer.armed = false;
            ++timer.generation;
            handler();
        }
    }
}

int EventLoop::wait_milliseconds(Duration timeout) const {
    long long wait = timeout.count() < 0 ? -1 : timeout.count();
    const Clock::time_point now = Clock::now();
    for (const Timer& timer : timers_) {
        if (timer.armed) {
            const long long left = std::max(std::chrono::ceil<Duration>(timer.deadline - now), Duration(0)).count();
            wait = wait < 0 ? left : std::min(wait, left);
        }
    }
    return static_cast<int>(std::min<long long>(wait, INT_MAX));
}

void EventLoop::dispatch(const epoll_event& event) {
    Watch& watch = watches_[event.data.u64 & UINT32_MAX];
    if (watch.fd >= 0 && watch.generation == event.data.u64 >> 32) {
        Handler handler = watch.handler; // the slot may change hands while the handler runs
        handler(event.events);
    }
}

bool EventLoop::is_idle() const {
    return std::all_of(watches_.begin(), watches_.end(), [](const Watch& watch) { return watch.fd < 0; }) &&
           std::none_of(timers_.begin(), timers_.end(), [](const Timer& timer) { return timer.armed; });
}

Result<void> EventLoop::run_once(Duration timeout) {
    std::array<epoll_event, 16> events; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by epoll_wait
    const int count =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_milliseconds(timeout));
    if (count < 0 && errno != EINTR) {
        return last_error("epoll_wait");
    }
    for (int i = 0; i < count; ++i) {
        dispatch(events[static_cast<size_t>(i)]);
    }
    fire_timers();
    return {};
}

Result<void> EventLoop::run() {
    stopped_ = false;
    while (!stopped_) {
        if (is_idle()) {
            return SystemError{EDEADLK, "epoll_wait"};
        }
        if (const Result<void> result = run_once(Duration(-1)); !result.ok()) {
            return result;
        }
    }
    return {};
}

} // namespace nspawn
