// passphrase.hpp — the passphrase of an encrypted image: from a credential of our own, or asked for on the terminal.
//
// Never shows or logs it. Source: systemd.exec(5) $CREDENTIALS_DIRECTORY, systemd-nspawn(1) Environment, termios(3).
#pragma once

#include <optional>
#include <string>

namespace nspawn {

// The credential "dissect.passphrase" of our own process. Nothing: there is none.
std::optional<std::string> passphrase_credential();

// Asked on the terminal that is standard input, without an echo. Nothing: it is no terminal, or the user gave up.
std::optional<std::string> ask_passphrase(const std::string& question);

} // namespace nspawn
