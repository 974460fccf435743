// pager.hpp — long text for the person at the terminal, through a pager where one is wanted.
//
// Owns the choice of the pager, its environment and its process. A pager can start programs and write files, so when
// privileges may have been raised only one that has a secure mode is used, in that mode. Falls back to plain output.
// Source: systemd-nspawn(1), "Environment" ($SYSTEMD_PAGER …); less(1), "Security".
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nspawn {

// The value of an environment variable.
using EnvironmentLookup = std::function<std::optional<std::string>(const char* name)>;

struct PagerChoice {
    std::vector<std::vector<std::string>> commands;               // to be tried in this order; empty: no pager
    std::vector<std::pair<std::string, std::string>> environment; // set on top of the caller's
    bool leaves_on_interrupt = true;                              // false: Ctrl-C belongs to the pager
};

// `raised`: we may hold more privileges than the person at the terminal.
PagerChoice choose_pager(const EnvironmentLookup& environment, bool raised);

// Writes `text` to standard output, through a pager if that is a terminal and `wanted`. Throws when it cannot be
// written; a reader that leaves early is no error.
void print_paged(std::string_view text, bool wanted);

} // namespace nspawn
