// confine.hpp — making this process one that can do nothing but read what it has open and write its answer.
//
// For the part of the worker that reads hostile bytes: no user, no capability, no new file, process or connection,
// little memory and time. Irrevocable. Source: seccomp(2), credentials(7), setrlimit(2).
#pragma once

namespace nspawn {

// Throws Error when the process would keep more than it needs.
void confine_reader();

// For the part that opens encrypted images, which has to make devices: only what that takes, and bounds on memory,
// since it is the image that says how much a key costs.
void confine_opener();

} // namespace nspawn
