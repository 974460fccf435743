// nspawn — start one container and stay with it until it ends.

#include "base/log.hpp"
#include "base/own_user.hpp"
#include "config/argv.hpp"
#include "config/help.hpp"
#include "config/pager.hpp"
#include "config/resolve.hpp"
#include "config/settings_file.hpp"
#include "config/show_config.hpp"
#include "run/run_machine.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include <unistd.h>

namespace nspawn {
namespace {

int answer(const CommandLine& line) {
    switch (line.request->kind) {
    case RequestKind::none:
        break;
    case RequestKind::help:
        print_paged(help_text(terminal_width(STDOUT_FILENO)), line.pager);
        break;
    case RequestKind::version:
        print_paged(version_text(), false);
        break;
    case RequestKind::list_values:
        print_paged(fmt::format("{}\n", fmt::join(values_of(*line.request->option), "\n")), false);
        break;
    }
    return EXIT_SUCCESS;
}

Settings find_settings(const Config& command_line, const RootSelection& selection) {
    if (command_line.settings == SettingsMode::no) {
        return {};
    }
    const bool privileged = own_user() == 0;
    const bool trust_beside = command_line.settings == SettingsMode::trusted;
    return read_settings(host_settings_places(privileged, selection.settings_directory, trust_beside),
                         selection.machine, host_specifier_facts(selection.machine));
}

void warn(const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings) {
        log::warning("{}", warning);
    }
}

// Nothing: the configuration was asked for, and has been printed. Where each value came from is not kept any longer.
std::optional<Config> configure(const CommandLine& line, const Settings& settings, const Caller& caller,
                                const EnvironmentSwitches& switches, const RootSelection& selection) {
    Resolved resolved = resolve(line, settings.assignments, caller, switches);
    warn(switches.warnings);
    warn(settings.warnings);
    warn(resolved.warnings);
    if (!resolved.config.show_config) {
        return std::move(resolved.config);
    }
    name_tree(resolved, selection.path, selection.machine + selection.machine_suffix);
    print_paged(resolved.config.json ? config_as_json(resolved).dump() + "\n" : config_as_text(resolved), false);
    return std::nullopt;
}

int run(int argc, char** argv) {
    const CommandLine line = parse_command_line(argc, argv);
    if (line.request) {
        return answer(line);
    }
    const Caller caller = Caller::of_this_process();
    const EnvironmentSwitches switches = EnvironmentSwitches::read(caller);
    const Config command_line = read_command_line(line, caller);
    RootSelection selection = select_root(command_line.directory, command_line.machine, command_line.ephemeral);
    const std::optional<Config> config =
        configure(line, find_settings(command_line, selection), caller, switches, selection);
    if (!config) {
        return EXIT_SUCCESS;
    }
    return run_machine(*config, switches, caller, std::move(selection));
}

} // namespace
} // namespace nspawn

int main(int argc, char** argv) {
    nspawn::log::read_environment();
    try {
        return nspawn::run(argc, argv);
    } catch (const nspawn::Error& error) {
        nspawn::log::failure(error);
        return error.exit_status();
    } catch (const std::exception& error) {
        nspawn::log::error("{}", error.what());
        return EXIT_FAILURE;
    }
}
