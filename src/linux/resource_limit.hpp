// resource_limit.hpp — resource limits: their names, the grammar of their values, the defaults, and setting one.
//
// Owns what a limit is called and how its value is written. Never decides who may raise a limit: the kernel does, and
// apply_resource_limit() settles for the nearest value it allows. Sources: getrlimit(2), systemd.exec(5) "Process
// Properties" (names, units), systemd.time(7) (time spans), systemd-nspawn(1) --rlimit=.
#pragma once

#include "base/result.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/resource.h>

namespace nspawn {

// Index is the kernel's RLIMIT_* number.
using ResourceLimitSet = std::array<rlimit64, RLIM_NLIMITS>;

// "NOFILE" or "RLIMIT_NOFILE" -> RLIMIT_NOFILE; upper case only, as the manual has it.
std::optional<int> parse_resource_name(std::string_view text);
// Without the prefix; "" for a number that is no limit.
std::string_view resource_name(int resource);

// "90", "1min 30s", "500ms": microseconds; a bare number counts `default_unit`.
std::optional<uint64_t> parse_time_span(std::string_view text, uint64_t default_unit);
// "SOFT[:HARD]" in the unit of the resource: bytes with K M G T P E, time spans, nice levels, or plain numbers;
// "infinity" for all but NICE. One value sets both. No value when the text is malformed or soft exceeds hard.
std::optional<rlimit64> parse_resource_limit(int resource, std::string_view text);
// "1024:524288", "infinity", …: what parse_resource_limit() reads back as the same limit.
std::string format_resource_limit(const rlimit64& limit);

// What the payload gets unless told otherwise: the kernel's own values for a first process. NPROC and SIGPENDING depend
// on the machine's memory and are copied from PID 1, or from this process where that one may not be asked.
Result<ResourceLimitSet> default_resource_limits();

// Lets this process, and those that it makes, raise the limit to `hard` even where they are not privileged to. As far
// as the kernel allows it.
Result<void> allow_resource_limit(int resource, rlim64_t hard);

// Sets a limit of this process. Where the kernel refuses (no CAP_SYS_RESOURCE; more descriptors than the fs.nr_open
// sysctl allows), hard and soft are clamped to the present hard limit. Answers what is in force afterwards.
Result<rlimit64> apply_resource_limit(int resource, const rlimit64& wanted);

} // namespace nspawn
