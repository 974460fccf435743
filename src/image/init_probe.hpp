// init_probe.hpp — what can be told about the program that a tree will run, without running it.
//
// Reads a few bytes of a program and the names in a few directories, all in-root and bounded; never trusts them for
// more than a default. Sources: elf(5); file name of libsystemd's private library, as spec C.4 uses it.
#pragma once

#include <optional>
#include <string>

namespace nspawn {

// True when `program`, a path in the tree, is a 32-bit ELF file for a processor of this machine's family, while this
// machine runs 64-bit ones by nature.
bool is_32bit_program(int tree, const char* program);

// The first of the places where an init is looked for that is there: "/usr/lib/systemd/systemd", …; null: none.
const char* find_init(int tree);

// Version of the systemd in the tree, as the highest libsystemd-shared-VERSION.so tells it.
std::optional<unsigned> find_systemd_version(int tree);

} // namespace nspawn
