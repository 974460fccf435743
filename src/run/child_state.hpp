// child_state.hpp — what the stages of the child hand on to each other; private to the child_*.cpp files.
//
// Owns only what a later stage needs. Each child_*.cpp file holds the stages of one subject.
#pragma once

#include "linux/process.hpp"
#include "run/child.hpp"

#include <optional>
#include <string>
#include <vector>

namespace nspawn {

struct ChildState {
    const ChildInput& input;
    const Plan& plan;
    UniqueFd kernel_log;                    // of the FIFO behind /proc/kmsg, for the supervisor to hold
    MountFd dev;                            // for /dev, from the supervisor
    MountFd incoming;                       // for /run/host/incoming, from the supervisor
    bool has_prepared = false;              // the supervisor's mounts are here
    bool journal_in_place = false;          // the tree has the directory that the host is to see
    std::vector<const Operation*> left_out; // operations whose target or source does not exist here
    UserRecord user;                        // who the payload is, known after look_up_user
    bool calls_are_confined = false;        // the system call filter is loaded

    // Made before the host's tree is left, where the kernel gives them out only while it can see others of their kind.
    MountFd proc;
    MountFd sys;
    // With private users.
    std::optional<Handshake> peer;  // the child's helper, or in the helper the child
    Pidfd contained;                // in the helper: the child
    std::string left_out_by_helper; // in the child: as number_operations()

    explicit ChildState(const ChildInput& given) : input(given), plan(given.plan) {}
    // Tells the supervisor; the start goes on.
    void warn(std::string_view text) const;
};

// child.cpp
// The supervisor's next message. Ends the process when there is no supervisor any more.
Message hear_supervisor(ChildState& state);

// child_helper.cpp, in the helper
void grant_privileges(ChildState& state);
void start_contained_process(ChildState& state);
void map_users(ChildState& state);
void join_namespaces(ChildState& state);
void become_container_root_for_files(ChildState& state);
void hand_over_tree(ChildState& state);
// child_helper.cpp, in the child
void await_tree(ChildState& state);
// child.cpp: the stages of the child that has a helper.
[[noreturn]] void run_contained(ChildState& state);

// child_root.cpp
void prepare_kernel_file_systems(ChildState& state);
void die_with_supervisor(ChildState& state);
void detach_from_host(ChildState& state);
void enter_root(ChildState& state);
void leave_host_tree(ChildState& state);

// child_mounts.cpp
void run_group(ChildState& state, std::string_view stage);
void mount_proc(ChildState& state);
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

// The kernel file system of this type that prepare_kernel_file_systems() has made; null: none.
const MountFd* find_prepared(const ChildState& state, std::string_view type);

// Throws what there is to say about a target in the tree that is a link or no directory; returns when it is one.
void explain_mount_target(const std::string& target, int code);

// child_custom_mounts.cpp
void apply_custom_mounts(ChildState& state);
void apply_custom_mounts_below_proc(ChildState& state);

// child_mount_parts.cpp
void mount_parts(const ChildState& state, const MountParts& what);

// child_host_files.cpp
void place_host_files(ChildState& state);

// child_journal.cpp
void place_journal(ChildState& state);

// child_oci.cpp
void join_bundle_namespaces(ChildState& state);
void run_create_hooks(ChildState& state);
void set_kernel_parameters(ChildState& state);
void protect_paths(ChildState& state);
void run_start_hooks(ChildState& state);

// child_process.cpp
void join_network(ChildState& state);
void bring_up_loopback(ChildState& state);
void reset_login_uid(ChildState& state);
// The payload's own streams must be its own to reopen, /dev/stdout for one: pipes are given to it, and terminals where
// they are the container's. Never a file or terminal of the caller's.
void give_streams(uid_t user, gid_t group, bool terminals);
void start_session(ChildState& state);
void set_process_attributes(ChildState& state);
void limit_capabilities(ChildState& state);
void wait_for_verdict(ChildState& state);
void look_up_user(ChildState& state);
void become_user(ChildState& state);
void confine_calls_early(ChildState& state);
void confine(ChildState& state);
void load_payload_filter(const Plan& plan);

// child_exec.cpp
void execute_payload(ChildState& state);

// Writes one value into a kernel file below /proc, after checking that it really is procfs that answers: a write that
// lands elsewhere would be reported as done and protect nothing.
Result<void> write_proc_file(const char* path, std::string_view value);

} // namespace nspawn
