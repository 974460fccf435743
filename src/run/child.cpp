#include "run/child.hpp"

#include "plan/mount_table.hpp"
#include "run/child_state.hpp"
#include "run/stage.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <span>

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
    {"join the bundle's namespaces", join_bundle_namespaces},
    {"join the network", join_network},
    {"prepare kernel file systems", prepare_kernel_file_systems},
    {"detach from the host", detach_from_host},
    {"run create hooks", run_create_hooks},
    {"enter root", enter_root},
    {"leave the host's tree", leave_host_tree},
    {kStageProc, mount_proc},
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
    {"bring up the loopback interface", bring_up_loopback},
    {"set process attributes", set_process_attributes},
    {"limit capabilities", limit_capabilities},
    {"confine calls early", confine_calls_early}, // while the supervisor reads the mounts back
    {"verify mounts", wait_for_verdict},          // nothing of the tree is run before
    {"look up user", look_up_user},
    {"run start hooks", run_start_hooks},
    {"become user", become_user},
    {"confine", confine},
    {"execute", execute_payload},
};

// With private users two processes share the work. The helper has the host's privileges, in a mount namespace of its
// own, where it builds the tree with real device nodes and file systems that only they may make. The child, in its user
// namespace from the start, then takes a copy of that mount namespace: in the copy, which belongs to other users than
// the original, the kernel locks each mount and its read-only flag, and the container's root cannot undo them,
// mount_namespaces(7). What only restates that the container's root has no power over the kernel (the masks in /proc)
// is the child's and stays unlocked, since /proc could not be mounted in containers inside this one otherwise.
constexpr Stage kHelperStages[] = {
    {"die with the supervisor", die_with_supervisor},
    {"join the bundle's namespaces", join_bundle_namespaces},
    {"grant privileges", grant_privileges},
    {"join the network", join_network},
    {"start the container's process", start_contained_process},
    {"map users", map_users},
    {"join namespaces", join_namespaces},
    {"prepare kernel file systems", prepare_kernel_file_systems},
    {"create files as the container's root", become_container_root_for_files},
    {"detach from the host", detach_from_host},
    {"run create hooks", run_create_hooks},
    {"enter root", enter_root},
    {"leave the host's tree", leave_host_tree},
    {kStageProc, mount_proc},
    {kStageApiFileSystems, mount_api_file_systems},
    {kStageDevices, make_device_nodes},
    {kStageHostDirectory, make_host_directory},
    {kStageSealHostDirectory, seal_host_directory},
    {"place credentials", place_credentials},
    {kStageControlGroups, mount_control_groups},
    {kStageCustomMounts, apply_custom_mounts},
    {kStageIncoming, attach_incoming},
    {"hand over the tree", hand_over_tree},
};
constexpr Stage kContainedStages[] = {
    {"await the tree", await_tree},
    {"set kernel parameters", set_kernel_parameters},
    {kStageMasks, mask_kernel_interfaces},
    {"replace boot id and kernel log", replace_kernel_files},
    {"apply custom mounts below /proc", apply_custom_mounts_below_proc},
    {"protect paths", protect_paths},
    {"place the host's files", place_host_files},
    {"place the journal", place_journal},
    {"share mounts", share_mounts},
    {"report mounts", report_mounts},
    {"start session", start_session},
    {"bring up the loopback interface", bring_up_loopback},
    {"set process attributes", set_process_attributes},
    {"limit capabilities", limit_capabilities},
    {"confine calls early", confine_calls_early}, // while the supervisor reads the mounts back
    {"verify mounts", wait_for_verdict},          // nothing of the tree is run before
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

namespace {

[[noreturn]] void walk(ChildState& state, std::span<const Stage> stages) {
    const ChildInput& input = state.input;
    const char* stage_name = "";
    std::string message;
    std::string hint;
    int code = 0;
    try {
        for (const Stage& stage : stages) {
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

} // namespace

void run_child(const ChildInput& input) {
    ChildState state(input);
    if (has_private_users(input.plan)) {
        walk(state, kHelperStages);
    }
    walk(state, kChildStages);
}

void run_contained(ChildState& state) { walk(state, kContainedStages); }

std::vector<const char*> child_stage_names(const Plan& plan) {
    std::vector<const char*> names;
    const auto add = [&](std::span<const Stage> stages) {
        for (const Stage& stage : stages) {
            names.push_back(stage.name);
        }
    };
    if (has_private_users(plan)) {
        add(kHelperStages);
        add(kContainedStages);
    } else {
        add(kChildStages);
    }
    return names;
}

} // namespace nspawn
