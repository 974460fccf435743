// console.hpp — between the caller's standard streams and the container's pseudo terminal.
//
// Carries bytes both ways unchanged (terminal_dress.hpp says what is added around them), through two bounded buffers:
// when one side is slow, the other waits. Keeps the caller's terminal in raw mode while it does, and puts everything
// back in finish() or when it is dropped. A pseudo terminal that nobody in the container has open just now costs no
// CPU time. End of file on standard input is not passed on. Never waits, except in finish() and attach() for a slow
// reader of the output. SIGPIPE and SIGXFSZ have to be blocked: a lost output must not end the supervisor.
// Modes: systemd-nspawn(1) --console; spec C.8. Terminal injection: the container gets a terminal of its own, never
// the caller's.
#pragma once

#include "base/inline_function.hpp"
#include "config/config.hpp"
#include "linux/event_loop.hpp"
#include "linux/terminal.hpp"
#include "run/byte_queue.hpp"
#include "run/caller_stream.hpp"
#include "run/hot_keys.hpp"
#include "run/terminal_dress.hpp"

#include <optional>
#include <string_view>

#include <unistd.h>

namespace nspawn {

struct ConsoleOptions : DressOptions {
    ConsoleMode mode = ConsoleMode::read_only;
    int input = STDIN_FILENO;
    int output = STDOUT_FILENO;
};

class Console {
public:
    using Callback = InlineFunction<void()>;

    // `loop` outlives the console. Changes nothing at the terminal yet.
    Console(EventLoop& loop, const ConsoleOptions& options);
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;
    ~Console();

    // What the keys do (hot_keys.hpp); only in interactive mode and on a terminal.
    void on_kill(Callback callback) { on_kill_ = callback; }
    void on_reboot(Callback callback) { on_reboot_ = callback; }
    void on_poweroff(Callback callback) { on_poweroff_ = callback; }
    // The reader of the output has gone for good; a full disk is not that. Without a callback the container runs on
    // and its output is thrown away.
    void on_output_closed(Callback callback) { on_output_closed_ = callback; }

    // Connects the terminal whose master this is (O_NONBLOCK). A further one, after a reboot inside the container,
    // takes the place of the one before, whose output is finished first.
    Result<void> attach(UniqueFd master);
    // The caller's terminal may have another size now.
    void window_changed();
    // We were stopped and go on: a shell that took the terminal meanwhile has put its own mode and size there.
    void resumed();
    // A line on standard error, readable whatever mode the terminal is in.
    void say(std::string_view line) const;
    // Everything the container wrote goes out, then the terminal is as it was. Turns the event loop while the reader
    // of the output is slow; give_up() ends that, and so do the keys that kill.
    void finish();
    void give_up() { given_up_ = true; }

private:
    static constexpr size_t kOutputBuffer = 16384;
    static constexpr size_t kInputBuffer = 4096;

    void prepare_terminal();
    void on_master(uint32_t events);
    void on_input();
    void on_output();

    void pump();
    bool read_master();
    bool flush_output();
    bool read_input();
    bool flush_input();
    void obey(HotKeys::Action action);
    void lose_output(int code);
    void update_interest();
    void set_interest(int fd, bool wanted, uint32_t event, void (Console::*handler)());

    void drain();
    void disconnect();
    void flush_patiently();
    void undo();

    EventLoop& loop_;
    ConsoleMode mode_;
    CallerStream input_;
    CallerStream output_;
    std::optional<TerminalMode> raw_input_;
    std::optional<TerminalMode> raw_output_;
    TerminalDress dress_;
    HotKeys hot_keys_;
    Callback on_kill_;
    Callback on_reboot_;
    Callback on_poweroff_;
    Callback on_output_closed_;

    UniqueFd master_;
    // Readiness as the loop reported it last; false again once a call said EAGAIN.
    bool master_readable_ = false;
    bool master_writable_ = false;
    bool input_readable_ = false;
    bool output_writable_ = true;
    bool input_always_ready_ = false;
    bool prepared_ = false;
    bool dressed_ = false;
    bool loss_reported_ = false;
    bool draining_ = false;
    bool given_up_ = false;
    uint64_t received_ = 0; // bytes from the container
    char last_byte_ = '\n';
    ByteQueue<kOutputBuffer> to_output_;
    ByteQueue<kInputBuffer> to_master_;
};

} // namespace nspawn
