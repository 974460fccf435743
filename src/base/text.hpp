// text.hpp — small text work: splitting, numbers, quoting, escapes.
//
// Answers std::nullopt for text that is not of the form; the caller knows the sentence to say about it. Knows
// nothing of options or files. Grammar of words and escapes: systemd.syntax(7), "Quoting".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
// Takes what stands before the first `separator`, or all, off the front of `text`, and the separator with it.
std::string_view take_until(std::string_view& text, char separator);
// Splits at any run of the given characters; empty pieces are dropped.
std::vector<std::string_view> split_any(std::string_view text, std::string_view separators);
std::string lower_case(std::string_view text); // ASCII letters only
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);
bool equal_ignoring_case(std::string_view a, std::string_view b);

// 1 yes y true t on / 0 no n false f off, case-insensitive.
std::optional<bool> parse_boolean(std::string_view text);
// Decimal, no sign for unsigned, no blanks, nothing after it.
std::optional<uint64_t> parse_unsigned(std::string_view text, int base = 10);
std::optional<int64_t> parse_signed(std::string_view text);

// Words separated by white space, with '…' and "…" quoting and C escapes, as in unit files; nullopt when a quote
// is left open or an escape is unknown.
std::optional<std::vector<std::string>> split_words(std::string_view text);
// C escapes (\n \t \\ \" \' \xHH \OOO \uXXXX \UXXXXXXXX \s); nullopt on a malformed one. May yield NUL.
std::optional<std::string> unescape_c(std::string_view text);
// Each control character (and invalid UTF-8 byte) as \xHH, so that a line stays a line on any terminal.
std::string printable(std::string_view text);
// The word as a shell would need it; unchanged when nothing needs quoting.
std::string shell_quote(std::string_view word);

} // namespace nspawn
