#include "plan/host_files.hpp"

#include "base/path.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn {

namespace {

// systemd-resolved.service(8), "/ETC/RESOLV.CONF"
const char* source_path(ResolvConfSource source) {
    switch (source) {
    case ResolvConfSource::host:
        break;
    case ResolvConfSource::fixed:
        return "/usr/lib/systemd/resolv.conf";
    case ResolvConfSource::uplink:
        return "/run/systemd/resolve/resolv.conf";
    case ResolvConfSource::stub:
        return kStubResolvConf;
    }
    return kResolvConfPath;
}

// Read-only trees are writable again through a layer in memory that covers /etc too. What is bound on "/" is somebody
// else's tree.
bool etc_is_writable(const HostFilesInput& input) {
    const Volatile mode = input.config.volatile_mode;
    const auto& mounts = input.config.custom_mounts;
    if (std::any_of(mounts.begin(), mounts.end(), [](const CustomMount& mount) { return mount.destination == "/"; })) {
        return false;
    }
    const bool read_only = input.config.read_only || input.image.read_only;
    return !read_only || mode == Volatile::yes || mode == Volatile::overlay;
}

// The payload sees something else there than the tree has.
bool is_hidden(const Config& config) {
    const auto covers = [](const CustomMount& mount) {
        for (const std::string_view path : {"/etc", "/usr/share/zoneinfo"}) {
            if (is_within(path, mount.destination) || is_within(mount.destination, path)) {
                return true;
            }
        }
        return false;
    };
    return config.volatile_mode == Volatile::yes ||
           std::any_of(config.custom_mounts.begin(), config.custom_mounts.end(), covers);
}

HostFile file_at(const HostFilesInput& input, const char* target) {
    HostFile file;
    file.target = target;
    file.source = target;
    file.writable = etc_is_writable(input);
    file.hidden = is_hidden(input.config);
    return file;
}

HostFileAction action_of(HostFileWay way) {
    switch (way) {
    case HostFileWay::replace:
        return HostFileAction::replace;
    case HostFileWay::bind:
        return HostFileAction::bind;
    case HostFileWay::symlink:
        return HostFileAction::link;
    case HostFileWay::remove:
        return HostFileAction::remove;
    case HostFileWay::off:
    case HostFileWay::automatic:
    case HostFileWay::copy:
        break;
    }
    return HostFileAction::copy;
}

void plan_resolv_conf(std::vector<HostFile>& files, const HostFilesInput& input) {
    const ResolvConf& wanted = input.config.resolv_conf;
    if (wanted.way == HostFileWay::automatic && !input.leased_resolv_conf.empty()) {
        // Whatever the tree has there, a link to a resolver that does not run in it first of all, would not work.
        HostFile file = file_at(input, kResolvConfPath);
        file.action = file.writable ? HostFileAction::replace : HostFileAction::bind;
        file.source = input.leased_resolv_conf;
        files.push_back(std::move(file));
        return;
    }
    // The host's name server may listen on the loopback interface, and a private network has another one.
    if (wanted.way == HostFileWay::off || (wanted.way == HostFileWay::automatic && input.private_network)) {
        return;
    }
    HostFile file = file_at(input, kResolvConfPath);
    if (wanted.way == HostFileWay::automatic) {
        file.action = file.writable ? HostFileAction::copy : HostFileAction::bind;
        file.source = source_path(input.host.stub_resolver ? ResolvConfSource::stub : ResolvConfSource::host);
        file.remove_if_missing = file.writable;
    } else {
        file.action = action_of(wanted.way);
        file.source = source_path(wanted.source);
        file.on_request = true;
    }
    files.push_back(std::move(file));
}

HostFileAction automatic_timezone(const HostFilesInput& input, bool writable) {
    if (!writable) {
        return HostFileAction::bind;
    }
    switch (input.host.local_time) {
    case LocalTime::link:
        return HostFileAction::link;
    case LocalTime::file:
        return HostFileAction::replace;
    case LocalTime::missing:
        break;
    }
    return HostFileAction::remove;
}

void plan_timezone(std::vector<HostFile>& files, const HostFilesInput& input) {
    const HostFileWay wanted = input.config.timezone;
    HostFile file = file_at(input, kLocalTimePath);
    const bool missing = input.host.local_time == LocalTime::missing;
    if (wanted == HostFileWay::off || (wanted == HostFileWay::automatic && missing && !file.writable)) {
        return;
    }
    file.on_request = wanted != HostFileWay::automatic;
    // A time zone file is replaced even when it is to be copied: a link there leads to another zone's data.
    file.action = wanted == HostFileWay::automatic ? automatic_timezone(input, file.writable)
                  : wanted == HostFileWay::copy    ? HostFileAction::replace
                                                   : action_of(wanted);
    if (file.action == HostFileAction::link) {
        file.zone = zone_of_link(input.host.local_time_link);
    }
    files.push_back(std::move(file));
}

} // namespace

std::string zone_of_link(std::string_view link) {
    for (const std::string_view directory : {"/usr/share/zoneinfo/", "../usr/share/zoneinfo/"}) {
        if (link.starts_with(directory)) {
            const std::string_view zone = link.substr(directory.size());
            return !zone.empty() && !is_absolute(zone) && is_normalized(zone) ? std::string(zone) : std::string();
        }
    }
    return {};
}

std::vector<HostFile> plan_host_files(const HostFilesInput& input) {
    std::vector<HostFile> files;
    plan_timezone(files, input);
    plan_resolv_conf(files, input);
    return files;
}

JournalPlan plan_journal(const HostFilesInput& input, const Id128& id) {
    JournalPlan plan;
    if (input.config.ephemeral) {
        return plan; // its journal goes with it
    }
    plan.mode = input.config.link_journal;
    plan.id = id;
    plan.fresh_id = !input.image.machine_id && !input.config.uuid;
    plan.tree_path =
        fmt::format("{}{}/{}", input.image.path == "/" ? "" : input.image.path, kJournalDirectory, id.plain());
    return plan;
}

JournalAction decide_journal(LinkJournal mode, JournalEntry entry) {
    const bool guest = mode == LinkJournal::guest || mode == LinkJournal::try_guest;
    const bool host = mode == LinkJournal::host || mode == LinkJournal::try_host;
    const bool insists = mode == LinkJournal::guest || mode == LinkJournal::host;
    switch (entry) {
    case JournalEntry::mount_point:
        return insists ? JournalAction::refuse : JournalAction::skip;
    case JournalEntry::other:
        return insists ? JournalAction::refuse : JournalAction::skip;
    case JournalEntry::link_to_tree:
        return host ? JournalAction::make_and_bind : JournalAction::make_directory;
    case JournalEntry::other_link:
        return host ? JournalAction::make_and_bind : guest ? JournalAction::link : JournalAction::forget_link;
    case JournalEntry::directory:
        return guest ? JournalAction::link : JournalAction::bind;
    case JournalEntry::missing:
        return host ? JournalAction::make_and_bind : guest ? JournalAction::link : JournalAction::nothing;
    }
    return JournalAction::nothing;
}

} // namespace nspawn
