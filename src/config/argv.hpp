// argv.hpp — the command line as a list of assignments, in the order given.
//
// Owns the splitting into options, values and the payload's own words (parsing stops at the first of them), with
// getopt_long(3) fed from the option table: abbreviations, bundled letters and "--" work as everybody knows them.
// Never interprets a value, except "help" where the option lists its values. Does no other work, so that --version
// costs nothing.
#pragma once

#include "config/assignment.hpp"
#include "config/option.hpp"

#include <optional>
#include <string>
#include <vector>

namespace nspawn {

// Something to print instead of starting a container.
struct Request {
    RequestKind kind = RequestKind::none;
    const Option* option = nullptr; // list_values: of which option
};

struct CommandLine {
    std::vector<Assignment> assignments;
    std::vector<std::string> words; // the command, or arguments for the init
    std::optional<Request> request; // then the rest was not read
    bool pager = true;              // for the request: no --no-pager anywhere among the options
};

// As main() gets them. Throws Error with one line for an unknown or ambiguous option, a missing or a forbidden value.
CommandLine parse_command_line(int argc, char* const* argv);

} // namespace nspawn
