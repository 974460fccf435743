// man_page.hpp — the manual pages, put together from the option table and the prose beside it.
//
// nspawn(1) describes each option with its snippet; nspawn.settings(5) lists each key with what the table says about
// it: the option it stands for, what repeating it does, and who may set it.
#pragma once

#include "docs/snippets.hpp"

#include <string>

namespace nspawn::docs {

std::string command_page(const Snippets& snippets);
std::string settings_page(const Snippets& snippets);

} // namespace nspawn::docs
