// oci_hooks.hpp — runs the hooks of an OCI bundle, one after the other.
//
// A hook is a program of the host's administrator: it gets the container's state as JSON on standard input, its own
// environment and nothing of our descriptors; one that does not end in its time is killed. Used on both sides: by the
// supervisor, and by the child for those that run in the container's namespaces. Source: OCI runtime specification,
// config.md "POSIX-platform Hooks", runtime.md "Lifecycle" and "State".
#pragma once

#include "config/oci_runtime.hpp"

#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace nspawn {

struct OciState {
    const OciRuntime& bundle;
    const std::string& machine;
    const char* status = ""; // "creating", "created", "running", "stopped"
    pid_t pid = 0;           // 0: none
};

std::string oci_state_json(const OciState& state);

// Throws Error at the first one that fails. `confine`: called in the hook's process before it becomes the hook, for
// those that come out of a tree.
void run_hooks(const std::vector<OciHook>& hooks, const OciState& state, const std::function<void()>& confine = {});
// Runs all of them; what fails is a warning.
void run_hooks_regardless(const std::vector<OciHook>& hooks, const OciState& state);

} // namespace nspawn
