// stage.hpp — named steps of a start: the name is the error's context, the latency's label and the place where tests
// inject a failure.
//
// NSPAWN_FAULT="STAGE=ERRNO" makes the stage fail with that errno (EPERM, ENOSPC, …) before it does anything;
// NSPAWN_FAULT="STAGE=SIGKILL-SUPERVISOR" kills the supervisor there, as a crash would.
#pragma once

#include "base/error.hpp"
#include "run/timeline.hpp"

namespace nspawn {

enum class FaultAction { none, fail, kill_supervisor };
struct Fault {
    FaultAction action = FaultAction::none;
    int code = 0;
};
// What NSPAWN_FAULT says about this stage.
Fault fault_at(const char* stage);
// In the supervisor: fails or dies when the environment says so.
void inject_fault(const char* stage);

// Runs one step of the supervisor; an Error that leaves it carries the stage's name.
template <typename Step>
auto in_stage(Timeline& timeline, const char* stage, Step&& step) {
    struct Marker {
        Timeline& timeline;
        const char* stage;
        ~Marker() { timeline.mark('S', stage); }
    } marker{timeline, stage};
    try {
        inject_fault(stage);
        return step();
    } catch (Error& error) {
        error.with_context(stage);
        throw;
    }
}

} // namespace nspawn
