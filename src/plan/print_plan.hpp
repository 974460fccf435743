// print_plan.hpp — a Plan for people and for programs: --dry-run and --dry-run --json.
//
// The JSON form is documented in nspawn(1); its keys are not renamed. Pure.
#pragma once

#include "plan/plan.hpp"

#include <string>
#include <vector>

namespace nspawn {

std::string plan_as_text(const Plan& plan, const std::vector<const char*>& supervisor_stages,
                         const std::vector<const char*>& child_stages);
std::string plan_as_json(const Plan& plan, const std::vector<const char*>& supervisor_stages,
                         const std::vector<const char*>& child_stages);

} // namespace nspawn
