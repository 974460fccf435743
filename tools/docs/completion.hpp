// completion.hpp — completion files for bash, zsh and fish, and dictionaries for the fuzzers, from the option table.
//
// Owns the shells' grammar; every option, its values and its sentence come from the table. The shells complete as the
// program parses: options only before the first word that is none, since what follows is the container's command.
// Source: bash(1) "Programmable Completion", zshcompsys(1), fish's complete(1).
#pragma once

#include "config/option.hpp"

#include <string>
#include <vector>

namespace nspawn::docs {

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

// libFuzzer dictionaries: https://llvm.org/docs/LibFuzzer.html#dictionaries
std::string settings_dictionary();
std::string command_line_dictionary();

// The fixed words that may follow "--option="; empty when they depend on the host.
std::vector<std::string> value_words(const Option& option);
// "--name", "--alias", "-n": every way to write the option.
std::vector<std::string> spellings(const Option& option);
// Several values in one word, separated by commas.
bool takes_comma_list(const Option& option);

} // namespace nspawn::docs
