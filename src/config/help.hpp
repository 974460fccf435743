// help.hpp — what --help and --version print, made from the option table.
//
// Owns the layout only: every name and sentence comes from the table. Never prints; see pager.hpp for that.
#pragma once

#include "config/option.hpp"

#include <span>
#include <string>
#include <string_view>

namespace nspawn {

constexpr unsigned kDefaultWidth = 80;

// Lines are at most `width` columns wide, except for a single word that is longer.
std::string help_text(unsigned width);
// The program's name and version, and a line that says which parts this build has (+) and has not (-).
std::string version_text();

// Columns of the terminal behind `fd`, or $COLUMNS; kDefaultWidth when it is none.
unsigned terminal_width(int fd);

// "Image" for HelpSection::image; empty for HelpSection::general.
std::string_view section_title(HelpSection section);
// In the order in which they are printed.
std::span<const HelpSection> help_sections();
// "-D --directory=PATH", "   --volatile[=MODE]"; the three columns of the letter are kept free.
std::string option_spelling(const Option& option);

// `text` broken at blanks into lines of at most `width` columns, all but the first preceded by `indent` spaces.
std::string wrapped(std::string_view text, size_t width, size_t indent);

} // namespace nspawn
