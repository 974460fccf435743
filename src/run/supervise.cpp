#include "run/supervise.hpp"

#include "base/log.hpp"
#include "linux/signal_name.hpp"
#include "run/exec_failure.hpp"
#include "run/notify_socket.hpp"
#include "run/oci_hooks.hpp"
#include "run/stage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr int kMemoryPressureOffset = 18; // SIGRTMIN+18, systemd's request to give memory back

// Requests to stop, each counted apart. The original leaves the last two at their default and dies of them, with all
// that it has made still there.
constexpr int kStopSignals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

// The leader's end is told by its pidfd; SIGCHLD is about the strangers that come without a pid namespace.
SignalFd block_signals(uint64_t ignored_signals, bool strangers) {
    const auto is_ignored = [&](int signal) { return (ignored_signals >> (signal - 1) & 1) != 0; };
    if (is_ignored(SIGCHLD)) { // by a caller that wants no zombies; our child's end would be lost, wait(2)
        ::signal(SIGCHLD, SIG_DFL);
    }
    // Blocked, it would arrive even though nohup(1) had it ignored.
    const bool ignored = is_ignored(SIGHUP);
    return SignalFd::block({SIGWINCH, SIGCONT, SIGTERM, SIGINT, SIGQUIT, ignored ? SIGWINCH : SIGHUP,
                            strangers ? SIGCHLD : SIGWINCH, SIGRTMIN + kMemoryPressureOffset, SIGPIPE, SIGXFSZ})
        .or_throw("signals");
}

// What the start took and the wait does not need: a supervisor may live for months. Free heap, and the stack below us,
// where only the frames of calls that have returned lay. A small frame of its own, so that it ends within a page.
[[gnu::noinline]] void give_back_memory() {
    malloc_trim(0);
    constexpr uintptr_t kDeepestStart = uintptr_t{128} * 1024;
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    // One page stays, for that frame. Where nothing is mapped that far down, the kernel does the rest and says so.
    auto* const frame = static_cast<char*>(__builtin_frame_address(0));
    char* const end = frame - reinterpret_cast<uintptr_t>(frame) % page - page;
    (void)madvise(end - kDeepestStart, kDeepestStart, MADV_DONTNEED);
}

} // namespace

Supervisor::Supervisor(const Plan& plan, const ConsoleOptions& console, uint64_t ignored_signals, Timeline& timeline)
    : plan_(plan), timeline_(timeline), loop_(EventLoop::create().or_throw("event loop")),
      signals_(block_signals(ignored_signals, (plan.namespaces & CLONE_NEWPID) == 0)), console_(loop_, console),
      manager_(std::getenv("NOTIFY_SOCKET")) {
    if ((plan.namespaces & CLONE_NEWPID) == 0) {
        // Without a pid namespace there is no init in the container that orphans would go to; the host's is not theirs.
        check(prctl(PR_SET_CHILD_SUBREAPER, 1), "prctl(PR_SET_CHILD_SUBREAPER)").or_throw("");
    }
    loop_.watch(signals_.fd(), EPOLLIN, [this](uint32_t) { on_signal(); }).or_throw("signals");
    if (const char* const interval = std::getenv("WATCHDOG_USEC")) {
        if (const auto timeout = watchdog_timeout(interval, std::getenv("WATCHDOG_PID"), getpid())) {
            watchdog_.emplace(loop_, manager_, *timeout);
            watchdog_->start();
        }
    }
    console_.on_kill([this] {
        terminated_ = true;
        kill_leader();
    });
    console_.on_output_closed([this] { // "nspawn … | head -1": nobody is left to work for
        terminated_ = true;
        kill_leader();
    });
    console_.on_reboot([this] { (void)launch_->leader.send_signal(SIGINT); });
    console_.on_poweroff([this] { (void)launch_->leader.send_signal(SIGRTMIN + 4); });
}

Ending Supervisor::watch_over(Launch& launch) {
    launch_ = &launch;
    running_ = false;
    failure_.reset();
    stop_requests_ = {};
    watch_all(launch);
    const Result<void> turned = loop_.run();
    timeline_.mark('S', "payload ended");
    forget_all(launch);
    turned.or_throw("waiting for the container");
    Ending ending = read_ending(launch);
    launch_ = nullptr;
    return ending;
}

void Supervisor::watch_all(Launch& launch) {
    loop_.watch(launch.leader.get(), EPOLLIN, [this](uint32_t) { loop_.stop(); }).or_throw("container");
    loop_.watch(launch.handshake->fd(), EPOLLIN, [this](uint32_t) { (void)on_handshake(); }).or_throw("child");
    loop_.watch(launch.notify_socket.get(), EPOLLIN, [this](uint32_t) { on_notification(); }).or_throw("notify socket");
    if (launch.pty_master.valid()) {
        console_.attach(std::move(launch.pty_master)).or_throw("console");
    }
}

// Up to here its first words were waited for.
void Supervisor::watch_network() {
    if (launch_->network_worker.is_running()) {
        loop_.watch(launch_->network_worker.fd(), EPOLLIN, [this](uint32_t) { on_network(); })
            .or_throw("nspawn-network");
    }
}

// One that dies is started again, at once the first time; one that dies again and again is not.
void Supervisor::on_network() {
    constexpr std::chrono::seconds kLongAgo(60);
    constexpr int kMostDeaths = 5;
    constexpr EventLoop::Duration kPause(500);
    if (launch_->network_worker.hear()) {
        return;
    }
    loop_.forget(launch_->network_worker.fd());
    const auto now = std::chrono::steady_clock::now();
    network_deaths_ = now - network_death_ > kLongAgo ? 1 : network_deaths_ + 1;
    network_death_ = now;
    if (network_deaths_ > kMostDeaths) {
        log::warning("nspawn-network has ended {} times: nobody looks after the container's network any more",
                     network_deaths_);
        return;
    }
    log::warning("nspawn-network has ended: it is started again");
    network_restart_ =
        loop_.start_timer(kPause * (network_deaths_ - 1), [this] { restart_network(); }).or_throw("nspawn-network");
}

void Supervisor::restart_network() {
    try {
        restart_network_worker(*launch_, plan_);
        watch_network();
    } catch (const Error& error) {
        log::warning("nobody looks after the container's network any more: {}", error.message());
    }
}

void Supervisor::forget_all(const Launch& launch) {
    loop_.cancel_timer(network_restart_);
    loop_.forget(launch.network_worker.fd());
    loop_.forget_closed(launch.leader.get());
    loop_.forget_closed(launch.handshake->fd());
    loop_.forget_closed(launch.notify_socket.get());
}

void Supervisor::on_signal() {
    for (;;) {
        const auto next = signals_.next().or_throw("signals");
        if (!next) {
            return;
        }
        const int signal = static_cast<int>(next->ssi_signo);
        if (signal == SIGCHLD) {
            reap_strangers();
        } else if (signal == SIGWINCH) {
            console_.window_changed();
        } else if (signal == SIGCONT) {
            console_.resumed();
        } else if (const auto* stop = std::find(std::begin(kStopSignals), std::end(kStopSignals), signal);
                   stop != std::end(kStopSignals)) {
            stop_requested(signal, static_cast<size_t>(stop - std::begin(kStopSignals)));
        } else if (signal != SIGPIPE && signal != SIGXFSZ) { // what they tell, the console hears from its write(2)
            give_back_memory();
        }
    }
}

void Supervisor::stop_requested(int signal, size_t counter) {
    if (launch_ == nullptr) {
        console_.give_up(); // the container has ended; only a slow reader of its output is waited for
        return;
    }
    if (plan_.kill_signal && running_ && stop_requests_[counter]++ == 0) {
        // Said even with --quiet: otherwise the person waits without knowing for what.
        console_.say(fmt::format("Trying to halt container by sending {} to container PID 1. Send {} again to trigger "
                                 "immediate termination.",
                                 signal_name(*plan_.kill_signal), signal_name(signal)));
        (void)launch_->leader.send_signal(*plan_.kill_signal);
        return;
    }
    terminated_ = true;
    kill_leader();
}

void Supervisor::kill_leader() {
    if (launch_ != nullptr && launch_->leader.valid()) {
        (void)launch_->leader.send_signal(SIGKILL);
    }
}

// Children that are not the leader: orphans of a container without a pid namespace of its own.
void Supervisor::reap_strangers() {
    for (;;) {
        siginfo_t info{};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) {
            return;
        }
        if (launch_ == nullptr || info.si_pid == launch_->leader.pid()) {
            return; // the leader's end is read by watch_over()
        }
        waitpid(info.si_pid, nullptr, WNOHANG);
    }
}

// One message; false when there is none, or none any more.
bool Supervisor::on_handshake() {
    Result<std::optional<Message>> received = launch_->handshake->receive(true);
    if (received.error() == EAGAIN) {
        return false;
    }
    std::optional<Message> message = std::move(received).or_throw("hearing the container's child");
    if (!message) {
        loop_.forget_closed(launch_->handshake->fd());
        launch_->handshake->close();
        if (!failure_) {
            payload_runs();
        }
        return false;
    }
    switch (message->kind) {
    case MessageKind::warning:
        log::warning("{}", message->text);
        break;
    case MessageKind::mounted:
        if (!message->fds.empty()) {
            kernel_log_ = std::move(message->fds.front());
        }
        answer_report(*launch_, plan_, *message, timeline_);
        watch_network();
        break;
    case MessageKind::failed:
        failure_.emplace(message->text, message->hint);
        break;
    case MessageKind::kill_supervisor:
        kill(getpid(), SIGKILL);
        break;
    case MessageKind::born:
    case MessageKind::ready:
    case MessageKind::tree_ready:
    case MessageKind::hooks_done:
    case MessageKind::prepared:
    case MessageKind::go:
    case MessageKind::refused:
        throw Error("the container's child answers out of turn");
    }
    return true;
}

void Supervisor::payload_runs() {
    running_ = true;
    timeline_.mark('S', "payload runs");
    manager_.container_running(launch_->leader.pid(), !plan_.notify_ready);
    if (plan_.oci) {
        run_hooks_regardless(
            plan_.oci->hooks.poststart,
            {.bundle = *plan_.oci, .machine = plan_.machine, .status = "running", .pid = launch_->leader.pid()});
    }
    // Off the start path: the payload is on its way.
    reap_helper(*launch_);
    reclaim_dead_runs(&launch_->record);
    // Not from here, where the stack is deep.
    loop_.start_timer(EventLoop::Duration(0), [] { give_back_memory(); }).or_throw("payload");
}

void Supervisor::on_notification() {
    for (;;) {
        const auto received = receive_notification(launch_->notify_socket.get(), launch_->leader.pid());
        if (!received.ok() || !received.value()) {
            return;
        }
        const Notification& notification = *received.value();
        if (notification.status) {
            manager_.container_status(*notification.status);
        }
        if (notification.ready) {
            manager_.container_ready();
        }
    }
}

namespace {

// The stub init was executed, but its command could not be.
std::optional<Error> read_exec_failure(const UniqueFd& pipe) {
    ExecFailure failure{};
    if (!pipe || read(pipe.get(), &failure, sizeof failure) != static_cast<ssize_t>(sizeof failure)) {
        return std::nullopt;
    }
    failure.path[sizeof failure.path - 1] = '\0';
    if (failure.code == ELIBACC) {
        return Error(fmt::format("execute: {}: {}", failure.path, error_text(ENOENT)),
                     std::string(kMissingInterpreter));
    }
    return Error(fmt::format("execute: {}: {}", failure.path, error_text(failure.code)));
}

} // namespace

Ending Supervisor::read_ending(Launch& launch) {
    const ProcessEnd end = launch.leader.wait().or_throw("waiting for the container");
    on_last_words(launch);
    Ending ending;
    if (terminated_) {
        ending.kind = Ending::Kind::terminated;
    } else if (failure_) {
        ending.kind = Ending::Kind::failed;
        ending.error = failure_;
    } else if (end.exited) {
        ending.kind = Ending::Kind::exited;
        ending.status = end.status;
    } else if (end.signal == SIGINT) { // reboot(2) with POWER_OFF or HALT, reboot(2) "Behavior inside PID namespaces"
        ending.kind = Ending::Kind::powered_off;
    } else if (end.signal == SIGHUP) { // … with RESTART
        ending.kind = Ending::Kind::rebooted;
    } else {
        ending.kind = Ending::Kind::killed;
        ending.signal = end.signal;
    }
    return ending;
}

// What was sent just before the end and not read yet: the reason of a failed start, a last STATUS=.
void Supervisor::on_last_words(Launch& launch) {
    while (!running_ && launch.handshake->is_open() && on_handshake()) {
    }
    if (!failure_) {
        failure_ = read_exec_failure(launch.exec_failure);
    }
}

void Supervisor::release_terminal() { console_.finish(); }

} // namespace nspawn
