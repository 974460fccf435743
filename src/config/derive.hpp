// derive.hpp — what follows from the options that hold: defaults that depend on others, and contradictions.
//
// Owns the rules across options. Never decides which source wins (precedence) and never looks at the host or the
// tree; the terminal and the environment come with the caller. Source: systemd-nspawn(1), each option's own text.
#pragma once

#include "config/draft.hpp"
#include "config/environment_switches.hpp"
#include "config/precedence.hpp"

#include <vector>

namespace nspawn {

// An option that got its value from another one, or from the environment.
struct Implied {
    const Option* option = nullptr;
    Origin origin;
};

struct Derived {
    std::vector<Implied> implied;
};

// --ephemeral with a template and no directory is a throw-away copy of the template itself.
void read_template_as_directory(Config& config);

// Completes draft.config. Throws Error for options that contradict each other, naming where both came from.
Derived derive(Draft& draft, const Held& held, const EnvironmentSwitches& switches);

} // namespace nspawn
