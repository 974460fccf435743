// roff.hpp — the little Markdown of our prose, as roff for man(1).
//
// Understands headings (#, ##), paragraphs, "- " lists, "term" / ": meaning" lists, ``` blocks, `code`, *emphasis*,
// **bold** and [text](address). Never guesses: what it does not know is printed as it stands.
// Source: man(7), groff_man(7), groff_char(7).
#pragma once

#include <string>
#include <string_view>

namespace nspawn::docs {

// Inside a tagged paragraph the text must stay indented, so paragraphs are begun differently.
enum class Place { section, tagged_paragraph };

std::string roff_from_markdown(std::string_view markdown, Place place);
// One piece of running text with its `code`, *emphasis*, **bold** and links.
std::string roff_inline(std::string_view text);
// Text that is to appear exactly so, hyphens included.
std::string roff_literal(std::string_view text);

} // namespace nspawn::docs
