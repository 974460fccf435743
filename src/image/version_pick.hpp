// version_pick.hpp — the newest of several versions of a tree or image that lie in one directory, "NAME.v/".
//
// Pure but for the listing: names and kinds in, one name out. An entry is NAME_VERSION[_ARCHITECTURE][+LEFT[-DONE]]
// with the suffix; LEFT are the boots it may still try. Source: systemd.v(7), UAPI group's Version Format
// Specification.
#pragma once

#include "base/unique_fd.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

enum class VersionedKind { directory, image };

struct VersionPattern {
    std::string directory; // path of the directory with the versions
    std::string name;      // what they are versions of
    std::string suffix;    // ".raw"; empty for directories
};

// What a path asks for: "DIR/NAME.v", "DIR/NAME.raw.v", or "DIR/ANY.v/NAME___SUFFIX". Nothing: it is a plain path.
std::optional<VersionPattern> version_pattern(std::string_view path, VersionedKind kind);

// The best entry: one with tries left before one without, the newer version, this machine's architecture before the one
// it runs too before none. Entries for other architectures and of another form do not count. Nothing: none is left.
std::optional<std::string> pick_version(const VersionPattern& pattern, const std::vector<std::string>& entries);

// Opens the best one, as O_PATH. Throws Error when there is none.
UniqueFd open_version(const VersionPattern& pattern, VersionedKind kind);

} // namespace nspawn
