#include "run/child.hpp"

#include "plan/mount_table.hpp"
#include "run/child_state.hpp"
#include "run/stage.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>

#include <sys/prctl.h>
#include <unistd.h>

namespace nspawn {

namespace {

struct Stage {
    const char* name;
    void (*run)(ChildState&);
};

constexpr Stage kChildStages[] = {
    {"die with the supervisor", die_with_supervisor},
    {"detach from the host", detach_from_host},
    {"run create hooks", run_create_hooks},
    {"enter root", enter_root},
    {"leave the host's tree", leave_host_tree},
    {kStageApiFileSystems, mount_api_file_systems},
    {kStageDevices, make_device_nodes},
    {kStageHostDirectory, make_host_directory},
    {kStageSealHostDirectory, seal_host_directory},
    {"place credentials", place_credentials},
    {"set kernel parameters", set_kernel_parameters}, // while they can be written
    {kStageMasks, mask_kernel_interfaces},
    {"replace boot id and kernel log", replace_kernel_files},
    {kStageControlGroups, mount_control_groups},
    {kStageCustomMounts, apply_custom_mounts},
    {"protect paths", protect_paths},
    {"place the host's files", place_host_files}, // after all mounts that may cover their places
    {"place the journal", place_journal},
    {"share mounts", share_mounts},
    {kStageIncoming, attach_incoming},
    {"report mounts", report_mounts},
    {"start session", start_session},
    {"set process attributes", set_process_attributes},
    {"limit capabilities", limit_capabilities},
    {"verify mounts", wait_for_verdict}, // nothing of the tree is run before
    {"look up user", look_up_user},
    {"run start hooks", run_start_hooks},
    {"become user", become_user},
    {"confine", confine},
    {"execute", execute_payload},
};

// As the supervisor would on a real crash; the parent's pid has no number in here, so it has to do it by itself.
void obey_fault(const ChildState& state, const char* stage) {
    const Fault fault = fault_at(stage);
    if (fault.action == FaultAction::kill_supervisor) {
        // The first stage has not set it yet; without it nobody would wake us.
        check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl(PR_SET_PDEATHSIG)").or_throw("");
        state.input.supervisor.send(MessageKind::kill_supervisor).or_throw("");
        for (;;) {
            pause(); // until the supervisor's death takes us along
        }
    }
    if (fault.action == FaultAction::fail) {
        throw_system_error(fault.code, "injected fault", "");
    }
}

} // namespace

void ChildState::warn(std::string_view text) const {
    // When nobody listens any more, the start is over anyway.
    (void)input.supervisor.send(MessageKind::warning, 0, text);
}

Message hear_supervisor(ChildState& state) {
    std::optional<Message> message = state.input.supervisor.receive().or_throw("");
    if (!message) {
        _exit(EXIT_FAILURE); // there is nobody to tell
    }
    return std::move(*message);
}

void run_child(const ChildInput& input) {
    ChildState state(input);
    const char* stage_name = "";
    std::string message;
    std::string hint;
    int code = 0;
    try {
        for (const Stage& stage : kChildStages) {
            stage_name = stage.name;
            if (input.testing_faults) {
                obey_fault(state, stage.name);
            }
            stage.run(state);
            input.timeline.mark('C', stage.name);
        }
    } catch (const Error& error) {
        message = fmt::format("{}: {}", stage_name, error.message());
        hint = error.hint();
        code = error.code();
    } catch (const std::exception& error) {
        message = fmt::format("{}: {}", stage_name, error.what());
    }
    (void)input.supervisor.send(MessageKind::failed, code, message, hint);
    _exit(EXIT_FAILURE);
}

std::vector<const char*> child_stage_names() {
    std::vector<const char*> names;
    for (const Stage& stage : kChildStages) {
        names.push_back(stage.name);
    }
    return names;
}

} // namespace nspawn
