// settings_keys.hpp — every key that systemd.nspawn(5) documents, whether or not this version has its option.
//
// Only there so that a key this version does not act on is called by its name instead of "unknown", and so that the
// manual can list what is missing. A key of the option table need not stand here.
#pragma once

#include <span>
#include <string_view>

namespace nspawn {

// "Section.Key", sorted by section as in the manual.
std::span<const std::string_view> documented_settings();
bool is_documented_setting(std::string_view section, std::string_view key);
bool is_documented_section(std::string_view section);

} // namespace nspawn
