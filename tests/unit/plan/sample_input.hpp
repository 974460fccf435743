// sample_input.hpp — inputs of a plan that do not depend on the machine the test runs on.
#pragma once

#include "plan/plan.hpp"

namespace nspawn {

struct SampleInput {
    Config config;
    EnvironmentSwitches switches;
    HostFacts host;
    ImageFacts image;

    SampleInput();
    [[nodiscard]] Plan plan() const { return make_plan(config, switches, host, image); }
};

} // namespace nspawn
