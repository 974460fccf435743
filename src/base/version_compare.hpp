// version_compare.hpp — which of two version strings is the newer one.
//
// Owns the order only. Source: UAPI group's Version Format Specification:
// '~' sorts before everything (1~rc1 < 1), then the end, then '-', '^', '.', then numbers by value, letters before
// digits.
#pragma once

#include <string_view>

namespace nspawn {

// Negative: `a` is older; zero: the same; positive: `a` is newer.
int compare_versions(std::string_view a, std::string_view b);

} // namespace nspawn
