#include "config/show.hpp"

#include "base/text.hpp"
#include "linux/capability.hpp"
#include "linux/resource_limit.hpp"
#include "linux/signal_name.hpp"

#include <fmt/format.h>

namespace nspawn::show {

Lines capability_names(CapabilityMask mask) {
    if (mask == ~CapabilityMask{0}) {
        return {"all"};
    }
    Lines lines;
    for (unsigned number = 0; number < kCapabilityLimit; ++number) {
        if (has_capability(mask, number)) {
            lines.push_back(capability_name(number));
        }
    }
    return lines;
}

Lines boot(const Config& config) { return boolean(config.start_mode == StartMode::boot); }

Lines as_pid2(const Config& config) { return boolean(config.start_mode == StartMode::pid2); }

Lines words(const Config& config) { return config.words; }

Lines settings(const Config& config) {
    switch (config.settings) {
    case SettingsMode::no:
        return {"no"};
    case SettingsMode::override_command_line:
        return {"override"};
    case SettingsMode::trusted:
        return {"trusted"};
    case SettingsMode::yes:
        break;
    }
    return {"yes"};
}

Lines no_pager(const Config& config) { return boolean(!config.pager); }

Lines image_policy(const Config& config) { return config.image_policy ? Lines{config.image_policy->text()} : Lines{}; }

Lines volatile_mode(const Config& config) {
    switch (config.volatile_mode) {
    case Volatile::yes:
        return {"yes"};
    case Volatile::state:
        return {"state"};
    case Volatile::overlay:
        return {"overlay"};
    case Volatile::no:
        break;
    }
    return {"no"};
}

Lines resolv_conf(const Config& config) { return {std::string(to_word(config.resolv_conf))}; }

Lines timezone(const Config& config) { return {std::string(timezone_word(config.timezone))}; }

Lines link_journal(const Config& config) { return {std::string(to_word(config.link_journal))}; }
Lines users(const Config& config) { return {format_private_users(config.users)}; }

Lines tree_ownership(const Config& config) { return {std::string(format_tree_ownership(config.tree_ownership))}; }

Lines ports(const Config& config) {
    Lines lines;
    for (const PublishedPort& port : config.ports) {
        lines.push_back(format_port(port));
    }
    return lines;
}

Lines uuid(const Config& config) { return config.uuid ? Lines{config.uuid->uuid()} : Lines{}; }

Lines console(const Config& config) {
    switch (config.console.value_or(ConsoleMode::read_only)) {
    case ConsoleMode::interactive:
        return {"interactive"};
    case ConsoleMode::passive:
        return {"passive"};
    case ConsoleMode::pipe:
        return {"pipe"};
    case ConsoleMode::read_only:
        break;
    }
    return {"read-only"};
}

Lines background(const Config& config) { return config.background ? Lines{*config.background} : Lines{}; }

Lines environment(const Config& config) {
    Lines lines;
    for (const EnvironmentEntry& entry : config.environment) {
        lines.push_back(entry.value ? entry.name + "=" + *entry.value : entry.name + " (removed)");
    }
    return lines;
}

Lines kill_signal(const Config& config) {
    return config.kill_signal ? Lines{signal_name(*config.kill_signal)} : Lines{};
}

Lines personality(const Config& config) { return config.personality ? Lines{*config.personality} : Lines{}; }

Lines oom_score_adjust(const Config& config) {
    return config.oom_score_adjust ? Lines{fmt::format("{}", *config.oom_score_adjust)} : Lines{};
}

Lines cpu_affinity(const Config& config) {
    std::string text;
    const std::vector<unsigned>& cpus = config.cpu_affinity;
    for (size_t first = 0; first < cpus.size();) {
        size_t last = first;
        while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) {
            ++last;
        }
        text.append(text.empty() ? "" : ",").append(std::to_string(cpus[first]));
        if (last > first) {
            text.append("-").append(std::to_string(cpus[last]));
        }
        first = last + 1;
    }
    return show::text(text);
}

Lines limits(const Config& config) {
    Lines lines;
    for (size_t resource = 0; resource < config.limits.size(); ++resource) {
        if (const auto& limit = config.limits[resource]) {
            lines.push_back(
                fmt::format("{}={}", resource_name(static_cast<int>(resource)), format_resource_limit(*limit)));
        }
    }
    return lines;
}

Lines pivot_root(const Config& config) {
    const PivotRoot& pivot = config.pivot_root;
    if (pivot.new_root.empty()) {
        return {};
    }
    return {pivot.old_root.empty() ? pivot.new_root : fmt::format("{}:{}", pivot.new_root, pivot.old_root)};
}

Lines custom_mounts(const Config& config, CustomMountKind kind, bool read_only) {
    Lines lines;
    for (const CustomMount& mount : config.custom_mounts) {
        if (mount.kind == kind && mount.read_only == read_only) {
            lines.push_back(format_custom_mount(mount));
        }
    }
    return lines;
}

Lines bind_users(const Config& config) { return config.bind_users; }

Lines bind_user_shell(const Config& config) {
    return config.bind_user_shell_path.empty() ? boolean(config.bind_user_shell) : text(config.bind_user_shell_path);
}

Lines bind_user_groups(const Config& config) { return config.bind_user_groups; }

Lines credentials(const Config& config) {
    Lines lines;
    for (const Credential& credential : config.credentials) {
        lines.push_back(fmt::format("{} ({} bytes)", credential.id, credential.content.size()));
    }
    return lines;
}

Lines system_call_filter(const Config& config) {
    Lines lines = config.system_call_filter.allow;
    for (const std::string& name : config.system_call_filter.deny) {
        lines.push_back("~" + name);
    }
    return lines;
}

} // namespace nspawn::show
