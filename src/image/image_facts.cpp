#include "image/image_facts.hpp"

#include "base/path.hpp"
#include "image/init_probe.hpp"
#include "image/machine_id.hpp"
#include "image/root_tree.hpp"
#include "image/user_database.hpp"

namespace nspawn {

namespace {

// The program that becomes the container's PID 1, as far as it can be told from here; null: not to be told.
const char* first_program(const Config& config, int tree) {
    if (config.start_mode == StartMode::boot) {
        return find_init(tree);
    }
    if (config.words.empty()) {
        return "/bin/sh";
    }
    return is_absolute(config.words.front()) ? config.words.front().c_str() : nullptr;
}

// Only an init cares which control group hierarchies it finds.
bool runs_an_init(const Config& config) {
    if (config.start_mode == StartMode::boot || config.words.empty()) {
        return config.start_mode == StartMode::boot;
    }
    const std::string_view name = base_name(config.words.front());
    return name == "init" || name == "systemd";
}

} // namespace

ImageFacts read_image_facts(const Config& config, const RootTree& tree) {
    ImageFacts facts;
    facts.machine = tree.machine();
    facts.path = tree.path();
    facts.read_only = tree.read_only();
    facts.is_host_root = tree.path() == "/";
    facts.machine_id = read_machine_id(tree.fd());
    if (!config.user.empty()) {
        facts.user = find_user(tree.fd(), config.user);
    }
    facts.bound_users = find_bound_users(config.bind_users, tree.fd());
    if (const char* program = first_program(config, tree.fd())) {
        facts.init_is_32bit = is_32bit_program(tree.fd(), program);
    }
    if (runs_an_init(config)) {
        facts.systemd_version = find_systemd_version(tree.fd());
    }
    return facts;
}

} // namespace nspawn
