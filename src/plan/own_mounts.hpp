// own_mounts.hpp — what an OCI bundle says of the mounts that every container has anyway, applied to the plan's.
//
// Pure. Restricts and sizes what is there; never adds a mount. What cannot be changed was left out when the bundle was
// read. Source: OCI runtime specification, config.md "Mounts".
#pragma once

#include "plan/plan.hpp"

namespace nspawn {

void change_own_mounts(Plan& plan);

} // namespace nspawn
