#include "plan/print_plan.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "linux/capability.hpp"
#include "linux/mount_words.hpp"

#include <fmt/format.h>

#include <linux/sched.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

// One operation in words that fit both forms of output.
struct Described {
    std::string action;
    std::string target;
    std::string source;
    std::vector<std::string> options;
    std::vector<std::string> flags;
};

std::vector<std::string> attribute_names(uint64_t attributes) {
    std::vector<std::string> names;
    for (const MountFlagName& known : kMountFlagNames) {
        if ((attributes & known.attribute) != 0) {
            names.emplace_back(known.word);
        }
    }
    return names;
}

std::vector<std::string> option_texts(const std::vector<MountOption>& options) {
    std::vector<std::string> texts;
    texts.reserve(options.size());
    for (const MountOption& option : options) {
        texts.push_back(option.value.empty() ? option.name : option.name + "=" + option.value);
    }
    return texts;
}

Described describe(const MountFileSystem& what) {
    return {"mount", what.target, what.type, option_texts(what.options), attribute_names(what.attributes)};
}
Described describe(const MountParts& what) {
    std::vector<std::string> options = option_texts(what.options);
    options.push_back(fmt::format("only={}", fmt::join(what.parts, ":")));
    return {"mount parts", what.target, what.type, std::move(options), attribute_names(what.attributes)};
}
Described describe(const BindInside& what) {
    return {what.mask ? "mask" : "bind", what.target, what.source, {}, attribute_names(what.attributes)};
}
Described describe(const BindFromHost& what) {
    return {"bind from host", what.target, what.source, {}, attribute_names(what.attributes)};
}
Described describe(const MakeDirectory& what) {
    return {"directory", what.path, "", {fmt::format("mode={:04o}", what.mode)}, {}};
}
Described describe(const MakeFile& what) {
    return {"file", what.path, "", {fmt::format("mode={:04o}", what.mode)}, {}};
}
Described describe(const MakeSymlink& what) { return {"symlink", what.path, what.target, {}, {}}; }
Described describe(const MakeNode& what) {
    std::vector<std::string> options = {fmt::format("mode={:04o}", what.mode & ~static_cast<mode_t>(S_IFMT))};
    if (S_ISCHR(what.mode) || S_ISBLK(what.mode)) {
        options.push_back(fmt::format("device={}{}:{}", S_ISCHR(what.mode) ? "c" : "b", what.major, what.minor));
    }
    return {"node", what.path, "", std::move(options), {}};
}

std::string source_text(const MountSource& source) {
    return source.path.empty() ? "(a fresh directory)" : (source.in_tree ? "+" : "") + source.path;
}

Described describe(const MountCustom& what) {
    Described described{"bind", what.what.destination, "", option_texts(what.options),
                        attribute_names(what.attributes)};
    switch (what.what.kind) {
    case CustomMountKind::bind:
        described.source = source_text(what.what.sources.front());
        if (!what.what.recursive) {
            described.options.emplace_back("norbind");
        }
        break;
    case CustomMountKind::tmpfs:
        described.action = "mount";
        described.source = "tmpfs";
        break;
    case CustomMountKind::overlay:
        described.action = "overlay";
        for (const MountSource& layer : what.what.sources) {
            described.source += (described.source.empty() ? "" : ":") + source_text(layer);
        }
        break;
    case CustomMountKind::inaccessible:
        described.action = "hide";
        break;
    }
    return described;
}

Described describe_operation(const Operation& operation) {
    return std::visit([](const auto& what) { return describe(what); }, operation);
}

constexpr struct {
    uint64_t flag;
    const char* name;
} kNamespaceNames[] = {{CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"},       {CLONE_NEWIPC, "ipc"},
                       {CLONE_NEWUTS, "uts"},  {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWNET, "network"},
                       {CLONE_NEWUSER, "user"}};

std::vector<std::string> namespace_names(uint64_t namespaces) {
    std::vector<std::string> names;
    for (const auto& known : kNamespaceNames) {
        if ((namespaces & known.flag) != 0) {
            names.emplace_back(known.name);
        }
    }
    return names;
}

const char* root_kind_text(const Plan& plan) {
    switch (plan.root) {
    case RootKind::tree:
        return plan.read_only ? "the tree, read-only" : "the tree";
    case RootKind::volatile_usr:
        return "a tmpfs with the tree's /usr, read-only";
    case RootKind::volatile_state:
        return "the tree, read-only, with a tmpfs on /var";
    case RootKind::volatile_overlay:
        return "a tmpfs layer over the tree";
    }
    return "";
}

std::string root_text(const Plan& plan) {
    const PivotRoot& pivot = plan.pivot_root;
    std::string text = root_kind_text(plan);
    if (!pivot.new_root.empty()) {
        text += fmt::format("; of it {}", pivot.new_root);
    }
    if (!pivot.old_root.empty()) {
        text += fmt::format(", with all of it on {}", pivot.old_root);
    }
    return text;
}

const char* console_text(ConsoleMode mode) {
    switch (mode) {
    case ConsoleMode::interactive:
        return "interactive";
    case ConsoleMode::read_only:
        return "read-only";
    case ConsoleMode::passive:
        return "passive";
    case ConsoleMode::pipe:
        return "pipe";
    }
    return "";
}

const char* mode_text(StartMode mode) {
    switch (mode) {
    case StartMode::pid1:
        return "as process 1";
    case StartMode::pid2:
        return "as process 2, under a stub init";
    case StartMode::boot:
        return "boot: the tree's init as process 1";
    }
    return "";
}

std::vector<std::string> payload_words(const Plan& plan) {
    std::vector<std::string> words = plan.payload.words;
    if (plan.payload.mode == StartMode::boot) {
        words.insert(words.begin(), "(init)");
    } else if (words.empty()) {
        words.emplace_back("(shell)");
    }
    return words;
}

std::string user_text(const Plan& plan) {
    const PayloadUser& user = plan.payload.user;
    return user.record ? fmt::format("{} (uid {}, gid {})", user.record->name, user.record->uid, user.record->gid)
                       : fmt::format("{} (to be looked up inside)", user.name);
}

std::vector<std::string> environment_lines(const Plan& plan) {
    return payload_environment(plan, plan.payload.user.record.value_or(root_user()));
}

std::string users_text(const Plan& plan) {
    if (plan.id_map.empty()) {
        return "those of the host";
    }
    const std::string users = describe_id_ranges(plan.id_map.users);
    const std::string groups = describe_id_ranges(plan.id_map.groups);
    return users == groups ? users : fmt::format("{}, groups {}", users, groups);
}

std::string join_words(const std::vector<std::string>& words, const char* separator = " ") {
    return fmt::format("{}", fmt::join(words, separator));
}

void add_section(std::string& out, std::string_view title) { out += fmt::format("\n{}\n", title); }

void add_line(std::string& out, std::string_view key, std::string_view value) {
    out += fmt::format("  {:<20} {}\n", key, printable(value));
}

void add_operations(std::string& out, const Plan& plan) {
    for (const OperationGroup& group : plan.groups) {
        add_section(out, group.stage);
        for (const Operation& operation : group.operations) {
            const Described what = describe_operation(operation);
            std::vector<std::string> details = what.flags;
            details.insert(details.end(), what.options.begin(), what.options.end());
            out += printable(fmt::format("  {:<15} {:<34} {}{}{}", what.action, what.target, what.source,
                                         what.source.empty() || details.empty() ? "" : "  ", join_words(details, ",")));
            while (out.ends_with(' ')) {
                out.pop_back();
            }
            out += '\n';
        }
    }
}

const char* action_text(HostFileAction action) {
    switch (action) {
    case HostFileAction::copy:
        return "copy from host";
    case HostFileAction::replace:
        return "replace";
    case HostFileAction::bind:
        return "bind from host";
    case HostFileAction::link:
        return "link to zone";
    case HostFileAction::remove:
        return "remove";
    }
    return "";
}

// The host's file, or what the link is about.
std::string source_text(const HostFile& file) {
    switch (file.action) {
    case HostFileAction::remove:
        return "";
    case HostFileAction::link:
        return file.zone;
    default:
        return file.source;
    }
}

void add_host_files(std::string& out, const Plan& plan) {
    add_section(out, "files of the host");
    for (const HostFile& file : plan.host_files) {
        out += fmt::format("  {:<15} {:<34} {}\n", action_text(file.action), file.target, printable(source_text(file)));
    }
    add_line(out, "journal", to_word(plan.journal.mode));
}

void add_stages(std::string& out, std::string_view title, const std::vector<const char*>& names) {
    add_section(out, title);
    for (const char* name : names) {
        out += fmt::format("  {}\n", name);
    }
}

void add_filter(std::string& out, const Plan& plan) {
    if (!plan.filter) {
        add_line(out, "system call filter", "none");
        return;
    }
    const FilterSummary summary = describe_filter(*plan.filter);
    add_line(out, "system call filter", fmt::format("{} instructions", summary.instructions));
    for (const FilterSummary::Architecture& architecture : summary.architectures) {
        add_line(out, "",
                 fmt::format("{}: {} calls allowed, {} refused", architecture.name, architecture.allowed,
                             architecture.refused));
    }
}

std::vector<std::string> port_texts(const Plan& plan) {
    std::vector<std::string> texts;
    for (const PublishedPort& port : plan.network_request.ports) {
        texts.push_back(format_port(port));
    }
    return texts;
}

} // namespace

namespace {

std::string managed_text(const ManagedPlan& managed) {
    return fmt::format("{} with {}{}", managed.link, managed.container_link, managed.dhcp ? ", by DHCP" : "");
}

} // namespace

std::string plan_as_text(const Plan& plan, const std::vector<const char*>& supervisor_stages,
                         const std::vector<const char*>& child_stages) {
    std::string out = fmt::format("Container {}\n", plan.machine);
    add_line(out, "tree", plan.tree);
    add_line(out, "root", root_text(plan));
    add_line(out, "host name", plan.hostname);
    add_line(out, "machine id", plan.uuid.plain());
    add_line(out, "namespaces", join_words(namespace_names(plan.namespaces)));
    add_line(out, "users", fmt::format("{}{}", users_text(plan), plan.map_tree ? ", tree id-mapped" : ""));
    add_line(out, "console", console_text(plan.console));
    if (!plan.network_request.ports.empty()) {
        add_line(out, "ports", join_words(port_texts(plan)));
    }
    add_line(out, "network", describe_network(plan.network));
    for (const PlannedLink& link : plan.network.links) {
        add_line(out, "", describe_link(link));
    }
    if (!plan.managed.link.empty()) {
        add_line(out, "managed", managed_text(plan.managed));
    }
    add_operations(out, plan);
    add_host_files(out, plan);

    add_section(out, "privileges");
    add_line(out, "bounding set", format_capabilities(plan.capabilities.bounding));
    add_line(out, "ambient set", format_capabilities(plan.capabilities.ambient));
    add_line(out, "not available", format_capabilities(plan.capabilities.missing));
    add_line(out, "no new privileges", plan.no_new_privileges ? "yes" : "no");
    add_filter(out, plan);

    add_section(out, "resource limits");
    for (size_t resource = 0; resource < plan.limits.size(); ++resource) {
        add_line(out, resource_name(static_cast<int>(resource)), format_resource_limit(plan.limits[resource]));
    }
    add_section(out, "environment");
    for (const std::string& variable : environment_lines(plan)) {
        out += fmt::format("  {}\n", printable(variable));
    }
    add_section(out, "payload");
    add_line(out, "mode", mode_text(plan.payload.mode));
    std::vector<std::string> quoted;
    for (const std::string& word : payload_words(plan)) {
        quoted.push_back(word.starts_with('(') ? word : shell_quote(word));
    }
    add_line(out, "command", join_words(quoted));
    add_line(out, "user", user_text(plan));
    add_line(out, "working directory", plan.payload.working_directory);
    add_stages(out, "stages of the supervisor", supervisor_stages);
    add_stages(out, "stages of the child", child_stages);
    return out;
}

namespace {

Json operation_as_json(const Operation& operation) {
    const Described what = describe_operation(operation);
    Json json = Json::object({{"action", what.action}, {"target", what.target}});
    if (!what.source.empty()) {
        json.set("source", what.source);
    }
    if (!what.options.empty()) {
        json.set("options", what.options);
    }
    if (!what.flags.empty()) {
        json.set("flags", what.flags);
    }
    return json;
}

std::vector<std::string> capability_list(CapabilityMask mask) {
    std::vector<std::string> names;
    const std::string text = format_capabilities(mask);
    for (const std::string_view name : split_any(text, " ")) {
        names.emplace_back(name);
    }
    return names;
}

Json groups_as_json(const Plan& plan) {
    Json groups = Json::array();
    for (const OperationGroup& group : plan.groups) {
        Json operations = Json::array();
        for (const Operation& operation : group.operations) {
            operations.add(operation_as_json(operation));
        }
        groups.add(Json::object({{"stage", group.stage}, {"operations", operations}}));
    }
    return groups;
}

Json host_files_as_json(const Plan& plan) {
    Json files = Json::array();
    for (const HostFile& file : plan.host_files) {
        files.add(Json::object(
            {{"action", action_text(file.action)}, {"target", file.target}, {"source", source_text(file)}}));
    }
    return files;
}

Json id_ranges_as_json(const IdRanges& ranges) {
    Json list = Json::array();
    for (const IdRange& range : ranges) {
        list.add(Json::object({{"inside", range.inside}, {"outside", range.outside}, {"count", range.count}}));
    }
    return list;
}

Json id_map_as_json(const Plan& plan) {
    if (plan.id_map.empty()) {
        return {};
    }
    return Json::object({{"users", id_ranges_as_json(plan.id_map.users)},
                         {"groups", id_ranges_as_json(plan.id_map.groups)},
                         {"tree_mapped", plan.map_tree}});
}

Json network_as_json(const Plan& plan) {
    Json links = Json::array();
    for (const PlannedLink& link : plan.network.links) {
        links.add(describe_link(link));
    }
    Json network = Json::object({{"namespace", describe_network(plan.network)}, {"links", links}});
    if (!plan.managed.link.empty()) {
        network.set("managed", managed_text(plan.managed));
    }
    return network;
}

Json limits_as_json(const Plan& plan) {
    Json limits = Json::object();
    for (size_t resource = 0; resource < plan.limits.size(); ++resource) {
        limits.set(resource_name(static_cast<int>(resource)), format_resource_limit(plan.limits[resource]));
    }
    return limits;
}

Json filter_as_json(const Plan& plan) {
    if (!plan.filter) {
        return {};
    }
    const FilterSummary summary = describe_filter(*plan.filter);
    Json architectures = Json::array();
    for (const FilterSummary::Architecture& architecture : summary.architectures) {
        architectures.add(Json::object(
            {{"name", architecture.name}, {"allowed", architecture.allowed}, {"refused", architecture.refused}}));
    }
    return Json::object({{"instructions", summary.instructions}, {"architectures", architectures}});
}

void add_stages(Json& list, const std::vector<const char*>& names) {
    for (const char* name : names) {
        list.add(name);
    }
}

} // namespace

std::string plan_as_json(const Plan& plan, const std::vector<const char*>& supervisor_stages,
                         const std::vector<const char*>& child_stages) {
    const Json capabilities = Json::object({{"bounding", capability_list(plan.capabilities.bounding)},
                                            {"ambient", capability_list(plan.capabilities.ambient)},
                                            {"not_available", capability_list(plan.capabilities.missing)}});
    const Json payload = Json::object({{"mode", mode_text(plan.payload.mode)},
                                       {"command", payload_words(plan)},
                                       {"user", user_text(plan)},
                                       {"working_directory", plan.payload.working_directory}});
    Json stages = Json::array();
    add_stages(stages, supervisor_stages);
    add_stages(stages, child_stages);
    Json json = Json::object({
        {"machine", plan.machine},
        {"tree", plan.tree},
        {"root", root_text(plan)},
        {"hostname", plan.hostname},
        {"machine_id", plan.uuid.plain()},
        {"namespaces", namespace_names(plan.namespaces)},
        {"id_map", id_map_as_json(plan)},
        {"network", network_as_json(plan)},
        {"console", console_text(plan.console)},
        {"groups", groups_as_json(plan)},
        {"host_files", host_files_as_json(plan)},
        {"journal", to_word(plan.journal.mode)},
        {"capabilities", capabilities},
        {"no_new_privileges", plan.no_new_privileges},
        {"filter", filter_as_json(plan)},
        {"limits", limits_as_json(plan)},
        {"environment", environment_lines(plan)},
        {"payload", payload},
        {"stages", stages},
    });
    if (!plan.network_request.ports.empty()) {
        json.set("ports", port_texts(plan));
    }
    return json.dump() + "\n";
}

} // namespace nspawn
