// personality.hpp — which architecture uname(2) reports, and which ones this machine can report.
//
// Owns the names of --personality=: the machine's own architecture and the 32-bit one its kernel runs besides.
// Never reads a file: whoever found the container's init shows its first bytes. Sources: personality(2), elf(5),
// systemd.exec(5) Personality=.
#pragma once

#include "base/result.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nspawn {

struct Personality {
    std::string_view name;   // as systemd.exec(5) spells architectures
    unsigned long value = 0; // execution domain of personality(2)
};

// Native first, then the 32-bit one where the kernel has it.
std::span<const Personality> personalities();
std::optional<Personality> find_personality(std::string_view name);
// "x86-64, x86": for the error about another name.
std::string personality_list();

// How many bytes of a program is_elf32_of_this_family() wants to see.
constexpr size_t kElfHeaderBytes = 20;
// True when the bytes open a 32-bit ELF program for the 32-bit sibling of this 64-bit machine (i386 on x86-64).
bool is_elf32_of_this_family(std::string_view header);
// The personality such a program needs; no value on a machine without one.
std::optional<Personality> personality_of_elf32();

// Changes the execution domain of this process and keeps its flags (such as ADDR_NO_RANDOMIZE).
Result<void> set_personality(unsigned long value);

} // namespace nspawn
