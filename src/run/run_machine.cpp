#include "run/run_machine.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "linux/signal_name.hpp"
#include "plan/print_plan.hpp"
#include "run/child.hpp"
#include "run/launch.hpp"
#include "run/oci_hooks.hpp"
#include "run/stage.hpp"
#include "run/supervise.hpp"
#include "run/unix_export.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include <sys/utsname.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr int kRebootStatus = 133; // RestartForceExitStatus= of the unit: start me again
constexpr const char* kStageTree = "open the tree";
constexpr const char* kStageHost = "look at the host";
constexpr const char* kStagePlan = "make the plan";

void print(std::string_view text) { write_all(STDOUT_FILENO, text).or_throw("standard output"); }

void announce(const Config& config, const Plan& plan, const RootTree& tree) {
    if (config.quiet) {
        return;
    }
    for (const std::string& notice : plan.notices) {
        log::notice("{}", notice);
    }
    log::info("Spawning container {} on {}{}{}.", plan.machine, tree.path(), tree.ephemeral() ? ", " : "",
              tree.ephemeral_description());
    if (plan.console == ConsoleMode::interactive) {
        log::info("Press Ctrl-] three times within 1s to kill container.");
    }
}

// What to do once the container of one start has ended; nothing: start it again.
std::optional<int> conclude(const Plan& plan, const Ending& ending) {
    const auto level = plan.quiet ? log::Level::debug : log::Level::info;
    switch (ending.kind) {
    case Ending::Kind::failed:
        throw Error(*ending.error);
    case Ending::Kind::exited:
        if (ending.status == 0) {
            log::line(level, "Container {} exited successfully.", plan.machine);
            return 0;
        }
        log::line(level, "Container {} failed with error code {}.", plan.machine, ending.status);
        return ending.status == kRebootStatus ? 1 : ending.status;
    case Ending::Kind::powered_off:
        log::line(level, "Container {} has been shut down.", plan.machine);
        return 0;
    case Ending::Kind::rebooted:
        log::line(level, "Container {} is being rebooted.", plan.machine);
        return plan.keep_unit ? std::optional(kRebootStatus) : std::nullopt;
    case Ending::Kind::killed:
        log::error("Container {} terminated by signal {}.", plan.machine, signal_name(ending.signal));
        return 1;
    case Ending::Kind::terminated:
        log::line(level, "Container {} terminated.", plan.machine);
        return 1;
    }
    return 1;
}

ConsoleOptions console_options(const Config& config, const EnvironmentSwitches& switches, const Plan& plan) {
    ConsoleOptions options;
    options.mode = plan.console;
    options.machine = plan.machine;
    utsname host{};
    if (plan.console == ConsoleMode::interactive && uname(&host) == 0) {
        options.host = static_cast<const char*>(host.nodename);
    }
    options.background = config.background;
    options.tint = switches.tint_background;
    options.title = switches.adjust_terminal_title;
    return options;
}

void run_stop_hooks(const Plan& plan) {
    if (plan.oci) {
        run_hooks_regardless(plan.oci->hooks.poststop,
                             {.bundle = *plan.oci, .machine = plan.machine, .status = "stopped"});
    }
}

int run_until_end(const LaunchInput& input, Supervisor& supervisor) {
    for (;;) {
        Ending ending;
        try {
            Launch launched = launch(input);
            ending = supervisor.watch_over(launched);
            launched.last = ending.kind != Ending::Kind::rebooted && !input.plan.keep_unit;
            if (ending.kind == Ending::Kind::rebooted && !input.plan.keep_unit) {
                supervisor.service_manager().restarting();
            } else {
                supervisor.service_manager().terminating();
                supervisor.release_terminal();
            }
        } catch (...) {
            run_stop_hooks(input.plan); // of a start that failed, too
            throw;
        }
        input.timeline.mark('S', "clean up");
        const bool again = ending.kind == Ending::Kind::rebooted && !input.plan.keep_unit;
        if (!again) {
            run_stop_hooks(input.plan);
        }
        if (const std::optional<int> status = conclude(input.plan, ending)) {
            return *status;
        }
        input.tree.renew();
    }
}

} // namespace

int run_machine(const Config& config, const EnvironmentSwitches& switches, const Caller& caller,
                RootSelection selection) {
    Timeline timeline;
    if (config.timing) {
        timeline.enable();
    }
    RootTree tree =
        in_stage(timeline, kStageTree, [&] { return RootTree::open(config, switches, std::move(selection)); });
    const ImageFacts image = read_image_facts(config, tree);
    HostProbe host = in_stage(timeline, kStageHost, [&] { return probe_host(config, caller); });
    host.facts.propagate_directory = IncomingDirectory::path_of(image.machine);
    host.facts.unix_export_directory = unix_export_path(image.machine);
    const Plan plan = in_stage(timeline, kStagePlan, [&] { return make_plan(config, switches, host.facts, image); });
    if (config.dry_run) {
        std::vector<const char*> stages = {kStageTree, kStageHost, kStagePlan};
        const auto supervisor_stages = supervisor_stage_names(plan);
        stages.insert(stages.end(), supervisor_stages.begin(), supervisor_stages.end());
        print(config.json ? plan_as_json(plan, stages, child_stage_names(plan))
                          : plan_as_text(plan, stages, child_stage_names(plan)));
        return 0;
    }
    log::set_machine(plan.machine);
    announce(config, plan, tree);
    Supervisor supervisor(plan, console_options(config, switches, plan), host.ignored_signals, timeline);
    CustomMounts custom_mounts(plan);
    const int status = run_until_end({plan, host, tree, custom_mounts, timeline}, supervisor);
    custom_mounts.release();
    tree.release();
    if (timeline.enabled()) {
        log::write_line(log::Level::info, "stages:");
        write_all(STDERR_FILENO, timeline.report()).or_throw("standard error");
    }
    // Nothing outlives the container by now, and the kernel takes memory and descriptors back faster than their owners
    // let go of them.
    std::exit(status);
}

} // namespace nspawn
