// os_release.hpp — a reader for os-release files, of any content.
//
// Works on text that was already read; never opens anything. Answers values that are fit for an environment: no
// control characters, bounded length. Source: os-release(5).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nspawn {

using OsReleaseFields = std::vector<std::pair<std::string, std::string>>;

// Every well-formed assignment, in the order of the file; a name that is assigned twice keeps its first place and its
// last value. Lines that are no assignment are skipped.
OsReleaseFields parse_os_release(std::string_view text);

// Of those, ID, VERSION_ID, BUILD_ID and VARIANT_ID: what a container is told of its host.
OsReleaseFields host_os_release_fields(std::string_view text);

} // namespace nspawn
