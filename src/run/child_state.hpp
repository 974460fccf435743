// child_state.hpp — what the stages of the child hand on to each other; private to the child_*.cpp files.
//
// Owns only what a later stage needs. Each child_*.cpp file holds the stages of one subject.
#pragma once

#include "run/child.hpp"

#include <string>
#include <vector>

namespace nspawn {

struct ChildState {
    const ChildInput& input;
    const Plan& plan;
    UniqueFd kernel_log;                    // of the FIFO behind /proc/kmsg, for the supervisor to hold
    MountFd incoming;                       // for /run/host/incoming, from the supervisor
    bool journal_in_place = false;          // the tree has the directory that the host is to see
    std::vector<const Operation*> left_out; // operations whose target or source does not exist here
    UserRecord user;                        // who the payload is, known after look_up_user

    explicit ChildState(const ChildInput& given) : input(given), plan(given.plan) {}
    // Tells the supervisor; the start goes on.
    void warn(std::string_view text) const;
};

// child.cpp
// The supervisor's next message. Ends the process when there is no supervisor any more.
Message hear_supervisor(ChildState& state);

// child_root.cpp
void die_with_supervisor(ChildState& state);
void detach_from_host(ChildState& state);
void enter_root(ChildState& state);
void leave_host_tree(ChildState& state);

// child_mounts.cpp
void run_group(ChildState& state, std::string_view stage);
void mount_api_file_systems(ChildState& state);
void make_device_nodes(ChildState& state);
void make_host_directory(ChildState& state);
void place_credentials(ChildState& state);
void seal_host_directory(ChildState& state);
void mask_kernel_interfaces(ChildState& state);
void replace_kernel_files(ChildState& state);
void mount_control_groups(ChildState& state);
void share_mounts(ChildState& state);
void attach_incoming(ChildState& state);
void report_mounts(ChildState& state);

// Throws what there is to say about a target in the tree that is a link or no directory; returns when it is one.
void explain_mount_target(const std::string& target, int code);

// child_custom_mounts.cpp
void apply_custom_mounts(ChildState& state);

// child_mount_parts.cpp
void mount_parts(const MountParts& what);

// child_host_files.cpp
void place_host_files(ChildState& state);

// child_journal.cpp
void place_journal(ChildState& state);

// child_oci.cpp
void run_create_hooks(ChildState& state);
void set_kernel_parameters(ChildState& state);
void protect_paths(ChildState& state);
void run_start_hooks(ChildState& state);

// child_process.cpp
void start_session(ChildState& state);
void set_process_attributes(ChildState& state);
void limit_capabilities(ChildState& state);
void wait_for_verdict(ChildState& state);
void look_up_user(ChildState& state);
void become_user(ChildState& state);
void confine(ChildState& state);
void load_payload_filter(const Plan& plan);

// child_exec.cpp
void execute_payload(ChildState& state);

// Writes one value into a kernel file below /proc, after checking that it really is procfs that answers: a write that
// lands elsewhere would be reported as done and protect nothing.
Result<void> write_proc_file(const char* path, std::string_view value);

} // namespace nspawn
