// live_leases.hpp — who has addresses right now, for anybody who asks.
//
// Reads the files in /run/nspawn/network/machines and believes those whose writer still holds its lock. Takes no lock
// itself, so that no user of the host can keep a dead machine alive or a living one from starting; throws nothing and
// writes nothing. Source: fcntl(2), "Open file description locks".
#pragma once

#include "base/inline_function.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "lease/lease_record.hpp"

#include <string>
#include <vector>

namespace nspawn {

inline constexpr const char* kLeaseDirectory = "/run/nspawn/network";

// The writer of this open file still holds it.
bool is_held(int file);
// Of one machine's file below `directory`/machines; no value: there is none, it is dead, or no lease of ours.
std::optional<LeaseRecord> read_live_lease(int machines, const char* machine);
// All of them, in no order; `limit` files are looked at, at most.
std::vector<LeaseRecord> read_live_leases(const char* directory = kLeaseDirectory, size_t limit = 4096);

} // namespace nspawn
