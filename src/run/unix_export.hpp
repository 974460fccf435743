// unix_export.hpp — a directory of the host in which the sockets of a booted system can be reached.
//
// Makes one small tmpfs, mounted read-only on the host; the plan shows it writable in the container as
// /run/host/unix-export. The host follows and executes nothing that the container puts there.
// Source: systemd-nspawn(1) of version 256, spec C.2.
#pragma once

#include "image/scratch_mount.hpp"
#include "image/scratch_record.hpp"
#include "plan/plan.hpp"

#include <string>

namespace nspawn {

inline constexpr const char* kStageExport = "export sockets";

// At plan.unix_export, which is not empty. Recorded before it is made.
ScratchMount export_sockets(const Plan& plan, ScratchRecord& record);

// The host's directory for a machine of this name.
std::string unix_export_path(const std::string& machine);

} // namespace nspawn
