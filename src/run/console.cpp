#include "run/console.hpp"

#include "base/log.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <poll.h>
#include <signal.h>

namespace nspawn {

namespace {

constexpr size_t kChunk = 4096;
// Rounds of reading and writing before the loop looks at its other descriptors again.
constexpr int kMaxRounds = 2;
// More than the kernel buffers for a terminal; whoever still writes after the container's end is not waited for.
constexpr size_t kMaxDrain = 2U << 20;
constexpr int kClosingPatience = 1000; // milliseconds

// A terminal that refuses is used as it is: keys then come line by line.
void make_raw(std::optional<TerminalMode>& mode, Result<TerminalMode> changed) {
    if (changed.ok()) {
        mode.emplace(std::move(changed).value());
    } else {
        log::warning("cannot put the terminal into raw mode: {}", error_text(changed.error()));
    }
}

// The next write may succeed again.
bool is_passing_trouble(int code) { return code == ENOSPC || code == EDQUOT || code == EFBIG; }

} // namespace

Console::Console(EventLoop& loop, const ConsoleOptions& options) : loop_(loop), mode_(options.mode) {
    if (mode_ == ConsoleMode::interactive || mode_ == ConsoleMode::read_only) {
        output_ = CallerStream::for_writing(options.output);
    }
    if (mode_ == ConsoleMode::interactive) {
        input_ = CallerStream::for_reading(options.input);
        if (input_.is_terminal() && output_.is_terminal()) {
            dress_ = TerminalDress(options);
        }
    }
}

Console::~Console() {
    to_output_.clear();
    undo();
}

void Console::prepare_terminal() {
    if (std::exchange(prepared_, true) || mode_ != ConsoleMode::interactive) {
        return;
    }
    if (input_.is_terminal()) {
        make_raw(raw_input_, TerminalMode::raw_input(input_.fd()));
    }
    if (output_.is_terminal()) {
        make_raw(raw_output_, TerminalMode::raw_output(output_.fd()));
        dressed_ = true;
        to_output_.append(dress_.opening());
    }
}

Result<void> Console::attach(UniqueFd master) {
    drain();
    given_up_ = false;
    to_output_.allocate(); // now, and not while the container runs
    to_master_.allocate();
    master_ = std::move(master);
    // Edge-triggered: while nobody in the container has the terminal open, "hung up" is reported once and not all the
    // time, and the next open and write are reported again.
    const Result<void> watched =
        loop_.watch(master_.get(), EPOLLIN | EPOLLOUT | EPOLLET, [this](uint32_t events) { on_master(events); });
    if (!watched.ok()) {
        return watched;
    }
    prepare_terminal();
    window_changed();
    pump();
    return {};
}

void Console::window_changed() {
    if (!master_) {
        return;
    }
    for (const CallerStream* const stream : {&output_, &input_}) {
        if (!stream->is_open() || !stream->is_terminal()) {
            continue;
        }
        if (const Result<winsize> size = window_size(stream->fd()); size.ok()) {
            if (const Result<void> set = set_window_size(master_.get(), size.value()); !set.ok()) {
                log::debug("cannot set the console's window size: {}", error_text(set.error()));
            }
            return;
        }
    }
}

void Console::resumed() {
    for (std::optional<TerminalMode>* const mode : {&raw_input_, &raw_output_}) {
        if (!mode->has_value()) {
            continue;
        }
        if (const Result<void> renewed = (*mode)->renew(); !renewed.ok()) {
            log::warning("cannot put the terminal into raw mode again: {}", error_text(renewed.error()));
        }
    }
    window_changed();
}

void Console::say(std::string_view line) const {
    // In raw mode a line feed only goes down, and what the container wrote last may not have ended its line.
    const bool raw = raw_output_.has_value();
    const std::string text =
        fmt::format("{}{}{}", raw && last_byte_ != '\n' ? "\r\n" : "", printable(line), raw ? "\r\n" : "\n");
    // Nobody is left to tell when standard error is gone.
    [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
}

void Console::on_master(uint32_t events) {
    master_readable_ = master_readable_ || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    master_writable_ = master_writable_ || (events & EPOLLOUT) != 0;
    pump();
}

void Console::on_input() {
    input_readable_ = true;
    pump();
}

void Console::on_output() {
    output_writable_ = true;
    pump();
}

void Console::pump() {
    for (int round = 0; round < kMaxRounds; ++round) {
        bool progress = read_master();
        progress = flush_output() || progress;
        progress = read_input() || progress;
        progress = flush_input() || progress;
        if (!progress) {
            update_interest();
            return;
        }
    }
    update_interest();
    if (master_) {
        // Edges that are known already do not come again by themselves.
        loop_.change(master_.get(), EPOLLIN | EPOLLOUT | EPOLLET).or_throw("console");
    }
}

bool Console::read_master() {
    const size_t room = std::min(kChunk, to_output_.room() / dress_.growth());
    if (!master_ || !master_readable_ || room == 0) {
        return false;
    }
    std::array<char, kChunk> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    const ssize_t count = ::read(master_.get(), buffer.data(), room);
    if (count <= 0) {
        // EAGAIN, or EIO while nobody has the other end open: the loop says when that changes.
        master_readable_ = count < 0 && errno == EINTR;
        return master_readable_;
    }
    received_ += static_cast<uint64_t>(count);
    if (output_.is_open()) {
        const std::string_view text(buffer.data(), static_cast<size_t>(count));
        last_byte_ = text.back();
        dress_.pass(text, [this](std::string_view part) { to_output_.append(part); });
    }
    return true;
}

bool Console::flush_output() {
    if (to_output_.is_empty() || !output_writable_ || !output_.is_open()) {
        return false;
    }
    const Result<size_t> written = output_.write(to_output_.content());
    if (written.ok()) {
        to_output_.consume(written.value());
        output_writable_ = !output_.may_block();
        return true;
    }
    if (written.error() == EAGAIN) {
        output_writable_ = false;
        return false;
    }
    lose_output(written.error());
    return true;
}

void Console::lose_output(int code) {
    to_output_.clear();
    if (!std::exchange(loss_reported_, true)) {
        log::warning("the container's output is being lost: standard output: {}", error_text(code));
    }
    if (!is_passing_trouble(code)) {
        loop_.forget(output_.fd());
        output_.close();
        if (on_output_closed_) {
            on_output_closed_();
        }
    }
}

bool Console::read_input() {
    const size_t room = std::min(kChunk, to_master_.room());
    if (!input_.is_open() || !(input_readable_ || input_always_ready_) || room == 0 || !master_) {
        return false;
    }
    std::array<char, kChunk> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    const Result<size_t> count = input_.read({buffer.data(), room});
    input_readable_ = false;
    if (count.error() == EAGAIN) {
        return false;
    }
    if (!count.ok() || count.value() == 0) {
        loop_.forget(input_.fd());
        input_.close();
        return false;
    }
    std::string_view typed(buffer.data(), count.value());
    if (!input_.is_terminal()) { // nobody presses keys there
        to_master_.append(typed);
        return true;
    }
    while (!typed.empty()) {
        const HotKeys::Found found = hot_keys_.scan(typed, std::chrono::steady_clock::now());
        to_master_.append(typed.substr(0, found.before));
        obey(found.action);
        typed.remove_prefix(found.used);
    }
    return true;
}

void Console::obey(HotKeys::Action action) {
    if (action == HotKeys::Action::kill && draining_) {
        given_up_ = true; // the container is gone; it is our own patience that is in the way
    }
    Callback* const callback = action == HotKeys::Action::kill        ? &on_kill_
                               : action == HotKeys::Action::reboot    ? &on_reboot_
                               : action == HotKeys::Action::power_off ? &on_poweroff_
                                                                      : nullptr;
    if (callback != nullptr && *callback) {
        (*callback)();
    }
}

bool Console::flush_input() {
    if (to_master_.is_empty() || !master_writable_ || !master_) {
        return false;
    }
    const std::string_view typed = to_master_.content();
    const ssize_t written = ::write(master_.get(), typed.data(), typed.size());
    if (written > 0) {
        to_master_.consume(static_cast<size_t>(written));
        return true;
    }
    master_writable_ = written < 0 && errno == EINTR;
    return master_writable_;
}

void Console::set_interest(int fd, bool wanted, uint32_t event, void (Console::*handler)()) {
    // Not watched at all rather than for nothing: a hangup is reported whether it was asked for or not.
    if (!wanted) {
        loop_.forget(fd);
    } else if (!loop_.is_watching(fd)) {
        const Result<void> watched = loop_.watch(fd, event, [this, handler](uint32_t) { (this->*handler)(); });
        if (watched.error() == EPERM) { // a file, which is always ready
            input_always_ready_ = input_always_ready_ || fd == input_.fd();
            return;
        }
        watched.or_throw("console");
    }
}

void Console::update_interest() {
    if (input_.is_open() && !input_always_ready_) {
        set_interest(input_.fd(), master_.valid() && to_master_.room() > 0, EPOLLIN, &Console::on_input);
        if (input_always_ready_) {
            pump();
        }
    }
    if (output_.is_open()) {
        set_interest(output_.fd(), !output_writable_, EPOLLOUT, &Console::on_output);
    }
}

void Console::drain() {
    if (!master_) {
        return;
    }
    draining_ = true;
    master_readable_ = true;
    const uint64_t limit = received_ + kMaxDrain;
    while (!given_up_) {
        pump();
        const bool all_read = !master_readable_ || received_ >= limit;
        if (all_read && (to_output_.is_empty() || !output_.is_open())) {
            break;
        }
        if (all_read) {
            master_readable_ = false;
        }
        if (!output_writable_) {
            loop_.run_once(EventLoop::Duration(-1)).or_throw("console");
        }
    }
    draining_ = false;
    disconnect();
}

void Console::disconnect() {
    loop_.forget(master_.get());
    master_.reset();
    master_readable_ = master_writable_ = false;
    to_master_.clear(); // was typed for the container that has ended
}

// Directly and with patience: what was done to the terminal must be undone also when it is slow.
void Console::flush_patiently() {
    while (output_.is_open() && !to_output_.is_empty()) {
        pollfd waiting{output_.fd(), POLLOUT, 0};
        if (::poll(&waiting, 1, kClosingPatience) <= 0) {
            return;
        }
        const Result<size_t> written = output_.write(to_output_.content());
        if (!written.ok() && written.error() != EAGAIN) {
            return;
        }
        to_output_.consume(written.ok() ? written.value() : 0);
    }
}

void Console::undo() {
    if (std::exchange(dressed_, false)) {
        to_output_.append(dress_.closing());
    }
    flush_patiently();
    if (raw_input_) {
        // Keys and the terminal's answers to the container's questions were meant for the container; the caller's
        // shell must not find them at its prompt.
        discard_input(input_.fd());
    }
    raw_output_.reset();
    raw_input_.reset();
    for (CallerStream* const stream : {&input_, &output_}) {
        loop_.forget(stream->fd());
        stream->close();
    }
    disconnect();
}

void Console::finish() {
    drain();
    if (given_up_) {
        to_output_.clear();
    }
    if (output_.is_terminal() && last_byte_ != '\n') {
        to_output_.append("\r\n");
    }
    undo();
}

} // namespace nspawn
