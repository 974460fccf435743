// credential.hpp — credentials for the payload: their names, and reading them from where the user said.
//
// Owns reading one secret from a file, a pipe, a socket or our own credentials, bounded in size and in time. Never
// prints or logs what it read, and never writes it anywhere. Source: systemd-nspawn(1) --set-credential=
// --load-credential=, systemd.exec(5) "Credentials".
#pragma once

#include "config/caller.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace nspawn {

constexpr size_t kLargestCredential = 1024 * 1024;

// A file name of at most 255 printable ASCII characters without ':'.
bool is_credential_name(std::string_view name);

// `source` is an absolute path, or the name of one of our own credentials in $CREDENTIALS_DIRECTORY. Throws Error.
std::string read_credential(const std::string& source, const Caller& caller);

} // namespace nspawn
