#include "config/option.hpp"
#include "linux/capability.hpp"
#include "linux/personality.hpp"
#include "linux/resource_limit.hpp"
#include "linux/signal_name.hpp"

#include <sys/resource.h>

namespace nspawn {

namespace {

std::vector<std::string> capabilities() {
    std::vector<std::string> names;
    for (unsigned number = 0; number < kCapabilityLimit; ++number) {
        std::string name = capability_name(number);
        if (name.starts_with("CAP_")) {
            names.push_back(std::move(name));
        }
    }
    return names;
}

std::vector<std::string> limits() {
    std::vector<std::string> names;
    for (int resource = 0; resource < static_cast<int>(RLIM_NLIMITS); ++resource) {
        if (const std::string_view name = resource_name(resource); !name.empty()) {
            names.emplace_back(name);
        }
    }
    return names;
}

std::vector<std::string> architectures() {
    std::vector<std::string> names;
    for (const Personality& personality : personalities()) {
        names.emplace_back(personality.name);
    }
    return names;
}

} // namespace

std::vector<std::string> values_of(const Option& option) {
    switch (option.completion) {
    case Completion::words:
        return {option.words.begin(), option.words.end()};
    case Completion::boolean:
        return {"no", "yes"};
    case Completion::signal:
        return signal_names();
    case Completion::capability:
        return capabilities();
    case Completion::limit:
        return limits();
    case Completion::personality:
        return architectures();
    case Completion::none:
    case Completion::directory:
    case Completion::file:
    case Completion::machine:
    case Completion::user:
    case Completion::system_call:
    case Completion::environment_variable:
        break;
    }
    return {};
}

} // namespace nspawn
