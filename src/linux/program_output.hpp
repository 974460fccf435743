// program_output.hpp — what a program of the host prints, within bounds.
//
// For the host's own small helpers, getent(1) first of all: never for one that comes out of a tree. It gets no standard
// input, no environment but PATH, and none of our descriptors; one that takes too long or prints too much is killed.
#pragma once

#include "base/result.hpp"

#include <initializer_list>
#include <string>

namespace nspawn {

struct ProgramOutput {
    int status = 0; // exit status; 127: it could not be executed, 128 and the signal: it was killed by one
    std::string text;
};

// `words`: the program's absolute path, then its arguments. ETIMEDOUT after `patience` milliseconds without an end,
// EFBIG: more than `limit` bytes.
Result<ProgramOutput> read_program(std::initializer_list<std::string> words, size_t limit, int patience);

} // namespace nspawn
