// path.hpp — paths as text. Never touches the file system.
#pragma once

#include <string>
#include <string_view>

namespace nspawn {

[[nodiscard]] bool is_absolute(std::string_view path);
// Absolute or relative, without "//", "." or ".." components and without a trailing slash ("/" itself is fine).
[[nodiscard]] bool is_normalized(std::string_view path);
// Collapses "//", "." and trailing slashes; ".." is kept, since only the file system can say what it means.
[[nodiscard]] std::string simplified(std::string_view path);
// True when `path` is `directory` or lies below it (both simplified).
[[nodiscard]] bool is_within(std::string_view path, std::string_view directory);
[[nodiscard]] std::string_view base_name(std::string_view path); // "" for "/"
[[nodiscard]] std::string parent_of(std::string_view path);      // "/" for "/a", "." for "a"
[[nodiscard]] std::string join(std::string_view directory, std::string_view name);

} // namespace nspawn
