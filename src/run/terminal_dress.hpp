// terminal_dress.hpp — window title and background colour of an interactive console.
//
// Makes the escape sequences and knows when they are due; never reads or writes a terminal, and never asks one for its
// colours. Every sequence has its counterpart in closing(). With a tint the container's output is read along: where a
// sequence in it puts the background back to the terminal's own, the tint follows at once; nothing is taken out or put
// in anywhere else. Lines that scroll in are filled with the tint by the terminal itself ("bce" in terminfo(5)).
// Source: console_codes(4); systemd-nspawn(1) --background; no-color.org; xterm's control sequences for the title.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace nspawn {

// What the environment says about the caller's terminal.
struct TerminalTraits {
    enum class Colors { none, sixteen, many, all };
    enum class Ground { unknown, dark, light };

    bool is_capable = false; // understands more than a line printer and a bare Linux console do
    bool is_utf8 = false;
    bool wants_no_color = false;     // $NO_COLOR
    Colors colors = Colors::none;    // $TERM, $COLORTERM
    Ground ground = Ground::unknown; // $COLORFGBG

    static TerminalTraits from_environment();
};

struct DressOptions {
    std::string machine;
    std::string host;
    std::optional<std::string> background; // SGR parameters; "": no tint; empty: one that suits the terminal
    bool tint = true;                      // $SYSTEMD_TINT_BACKGROUND: whether to tint without being asked to
    bool title = true;                     // $SYSTEMD_ADJUST_TERMINAL_TITLE
    TerminalTraits terminal = TerminalTraits::from_environment();
};

// The tint's SGR parameters; empty: none. The default is a dark or light blue, and only where the terminal's own
// background is known: on the wrong one text could not be read.
std::string choose_tint(const DressOptions& options);

class TerminalDress {
public:
    TerminalDress() = default; // none: nothing is added
    explicit TerminalDress(const DressOptions& options);

    [[nodiscard]] const std::string& opening() const { return opening_; }
    [[nodiscard]] const std::string& closing() const { return closing_; }

    // How many bytes one byte of output can become, at most.
    [[nodiscard]] size_t growth() const { return 1 + tint_.size(); }
    // Hands `output` on in pieces, with the tint between them where it is due.
    template <typename Sink>
    void pass(std::string_view output, Sink sink) {
        if (tint_.empty()) {
            sink(output);
            return;
        }
        size_t done = 0;
        for (size_t i = 0; i < output.size(); ++i) {
            if (resets_background(output[i])) {
                sink(output.substr(done, i + 1 - done));
                sink(std::string_view(tint_));
                done = i + 1;
            }
        }
        sink(output.substr(done));
    }

private:
    enum class State { text, escape, control, control_other, string, string_escape };

    // Follows the output by one byte; true when it ends a sequence that leaves the terminal's own background.
    bool resets_background(char byte);
    bool end_control_sequence(char final);

    std::string opening_;
    std::string closing_;
    std::string tint_; // the whole sequence
    State state_ = State::text;
    std::string parameters_; // of the control sequence under way, reserved once
};

} // namespace nspawn
