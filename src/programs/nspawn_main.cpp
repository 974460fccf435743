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
#include <fmt/ranges.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include <unistd.h>

namespace nspawn {
namespace {

void answer(const CommandLine& line) {
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

struct Start {
    Config config;
    EnvironmentSwitches switches;
    Caller caller;
    RootSelection selection;
};

Resolved resolve_tree(Start& start, const CommandLine& line, const Config& command_line) {
    start.selection = select_root(command_line.directory, command_line.image, command_line.machine,
                                  command_line.ephemeral, command_line.template_directory);
    const Settings settings = find_settings(command_line, start.selection);
    Resolved resolved = resolve(line, settings.assignments, start.caller, start.switches);
    resolved.warnings.insert(resolved.warnings.begin(), settings.warnings.begin(), settings.warnings.end());
    return resolved;
}

Resolved resolve_bundle(Start& start, const CommandLine& line, const Config& command_line) {
    OciBundle bundle = read_oci_bundle(command_line.oci_bundle);
    // Also when a bundle without a terminal makes the rest quiet: nothing in it is passed over in silence.
    if (!bundle.runtime.left_out.empty() && !command_line.quiet) {
        log::notice("config.json: not supported and left out: {}", fmt::join(bundle.runtime.left_out, ", "));
    }
    const bool other_tree = !command_line.directory.empty() || !command_line.image.empty();
    start.selection = select_root(other_tree ? command_line.directory : bundle.root, command_line.image,
                                  command_line.machine, command_line.ephemeral);
    return resolve(line, std::move(bundle), start.caller, start.switches);
}

// What is to be started; nothing: it was only asked for, and has been printed. Where each value came from, and all else
// that was needed to find out, is not kept while the container runs.
[[gnu::noinline]] std::optional<Start> read_start(const CommandLine& line) {
    Start start;
    start.caller = Caller::of_this_process();
    start.switches = EnvironmentSwitches::read(start.caller);
    const Config command_line = read_command_line(line, start.caller);
    Resolved resolved = command_line.oci_bundle.empty() ? resolve_tree(start, line, command_line)
                                                        : resolve_bundle(start, line, command_line);
    warn(start.switches.warnings);
    warn(resolved.warnings);
    if (resolved.config.show_config) {
        name_tree(resolved, start.selection.path, start.selection.machine + start.selection.machine_suffix);
        print_paged(resolved.config.json ? config_as_json(resolved).dump() + "\n" : config_as_text(resolved), false);
        return std::nullopt;
    }
    start.config = std::move(resolved.config);
    return start;
}

[[gnu::noinline]] std::optional<Start> read_arguments(int argc, char** argv) {
    const CommandLine line = parse_command_line(argc, argv);
    if (line.request) {
        answer(line);
        return std::nullopt;
    }
    return read_start(line);
}

int run(int argc, char** argv) {
    std::optional<Start> start = read_arguments(argc, argv);
    return start ? run_machine(start->config, start->switches, start->caller, std::move(start->selection))
                 : EXIT_SUCCESS;
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
