// signal_name.hpp — signals as people write them, and back.
//
// Owns the spelling of signal names only; never sends, blocks or handles a signal. Names come from the C library
// (sigabbrev_np(3)), so no table has to be kept. Grammar: systemd-nspawn(1) --kill-signal=, signal(7).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

// "SIGTERM", "TERM", "15", "RTMIN", "RTMIN+3", "SIGRTMAX-2", in any case. Zero, empty text and numbers beyond the
// kernel's last signal are no signals.
std::optional<int> parse_signal(std::string_view text);

// "SIGTERM", "SIGRTMIN+3"; the plain number for one without a name (32 and 33, which the C library keeps).
std::string signal_name(int signal);

// All of them in the kernel's order, as signal_name() spells them: what --kill-signal=help prints.
std::vector<std::string> signal_names();

} // namespace nspawn
