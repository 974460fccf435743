// stub_image.hpp — process 1 for --as-pid2: making its program file and becoming it.
//
// The program (stub_init/stub_init.cpp) lives in memory only, in a file that nobody can write, so that the container's
// process 1 is never the host's nspawn (the class of CVE-2019-5736): a sealed memfd, or a file of a read-only tmpfs
// that no path leads to. It finds nothing of the caller in its environment; the payload's environment travels beside
// it. Source: memfd_create(2), execveat(2), fsmount(2), spec C.8.
#pragma once

#include "base/id128.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace nspawn {

struct StubInitRequest {
    std::vector<std::string> words;       // the command and its arguments; none: a shell
    std::vector<std::string> environment; // of the payload, "NAME=VALUE"
    std::string container_service;        // value of $container for process 1
    Id128 container_uuid;
    bool has_console = false; // standard input is the container's console and becomes the controlling terminal
    std::chrono::seconds stop_timeout{90};
};

// The program, ready to be executed.
Result<UniqueFd> make_stub_image();

// Becomes the stub init. It executes the payload as a child and reports a failure to do so as one ExecFailure
// (exec_failure.hpp) on `error_fd`, which the payload does not inherit. Returns only to throw.
[[noreturn]] void execute_stub(int program, int error_fd, const StubInitRequest& request);

} // namespace nspawn
