// networkd.hpp — whether systemd-networkd looks after interfaces like ours on this host.
//
// Found out without a bus: by the control group that its service runs in, and by the files that say which interfaces it
// configures. Changes nothing. Source: systemd.network(5), systemd-networkd.service(8).
#pragma once

#include <string>

namespace nspawn {

// It runs.
bool networkd_runs();
// The file of this name that it would read; empty: none, or one that is masked.
std::string networkd_file(const std::string& name);

} // namespace nspawn
