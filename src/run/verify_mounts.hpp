// verify_mounts.hpp — reading back what the child has mounted. A read-only mount or a mask that did not take protects
// nothing while everybody believes that it does; so it ends the start.
//
// The supervisor reads while the child goes on with what runs nothing of the tree; the child waits for the verdict
// before it does. Source of the format: proc_pid_mountinfo(5).
#pragma once

#include "plan/plan.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace nspawn {

struct MountProblem {
    std::string target; // path in the container
    std::string what;   // "is not ro, although it was asked for"
    int code = 0;       // ENOENT: nothing is mounted there at all
};

// Which of the plan's operations these are, by number, as text for the handshake.
std::string number_operations(const Plan& plan, const std::vector<const Operation*>& chosen);

// The first mount of the plan that is not as asked for; `left_out` are the numbers of those that were not made because
// what they are for does not exist here.
std::optional<MountProblem> find_mount_problem(const Plan& plan, std::string_view left_out, std::string_view mountinfo);

// The same for a process's mount namespace, as that process sees it. Not to be able to read it is a problem too.
std::optional<MountProblem> find_mount_problem(const Plan& plan, std::string_view left_out, pid_t process);

} // namespace nspawn
