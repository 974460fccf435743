// base64.hpp — bytes as text and back. Source: RFC 4648, section 4.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nspawn {

std::string to_base64(std::string_view bytes);
// Strict: padding in its place, nothing else in between.
std::optional<std::string> from_base64(std::string_view text);

} // namespace nspawn
