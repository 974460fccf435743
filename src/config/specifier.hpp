// specifier.hpp — "%i" and its kin in the values of settings files.
//
// Owns the list of specifiers and which of them a file that came with an image may use: only those that tell nothing
// about the host, since the payload could read the answer. Host facts are asked for when they are used, never before.
// A "%" that starts no specifier is kept as it stands (files written for systemd-nspawn know no specifiers) and is
// reported. Source of the letters: systemd.unit(5), "Specifiers".
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

struct Specifier {
    char letter = '\0';
    bool tells_about_host = true;
    std::string_view meaning; // for the manual
};

std::span<const Specifier> specifiers();

// The value behind a letter of the list (but '%'). Throws Error when the host has no such thing.
using SpecifierFacts = std::function<std::string(char letter)>;

struct Expansion {
    std::string text;
    std::vector<std::string> problems; // "\"%q\" is no specifier, kept as it is (write %% for a percent sign)"
};

Expansion expand_specifiers(std::string_view text, bool trusted, const SpecifierFacts& facts);

// The facts of this host and of the calling user; `machine` is %i.
SpecifierFacts host_specifier_facts(std::string machine);

} // namespace nspawn
