#include "config/environment_switches.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

namespace nspawn {

namespace {

// What a value that is no boolean does: the original refuses to start for some switches and goes on for the others.
enum class Malformed { error, warning };

std::string problem_with(std::string_view name, std::string_view value) {
    return fmt::format("${}={}: not a boolean (yes or no)", name, printable(value.substr(0, 80)));
}

class Reader {
public:
    Reader(const Caller& caller, std::vector<std::string>& warnings) : caller_(caller), warnings_(warnings) {}

    [[nodiscard]] std::optional<bool> boolean(std::string_view name, Malformed malformed) const {
        const auto value = caller_.variable(name);
        if (!value) {
            return std::nullopt;
        }
        const auto answer = parse_boolean(*value);
        if (!answer && malformed == Malformed::error) {
            throw Error(problem_with(name, *value)).with_hint("Unset the variable, or give it a boolean.");
        }
        if (!answer) {
            warnings_.push_back(problem_with(name, *value) + ", ignored");
        }
        return answer;
    }

private:
    const Caller& caller_;
    std::vector<std::string>& warnings_;
};

std::optional<ApiVfsWritable> read_api_vfs_writable(const Caller& caller) {
    constexpr std::string_view kName = "SYSTEMD_NSPAWN_API_VFS_WRITABLE";
    const auto value = caller.variable(kName);
    if (!value) {
        return std::nullopt;
    }
    if (*value == "network") {
        return ApiVfsWritable::network;
    }
    if (const auto answer = parse_boolean(*value)) {
        return *answer ? ApiVfsWritable::yes : ApiVfsWritable::no;
    }
    throw Error(fmt::format("${}={}: neither a boolean nor \"network\"", kName, printable(value->substr(0, 80))));
}

std::optional<bool> read_unified_hierarchy(const Caller& caller, const Reader& reader) {
    for (const std::string_view name : {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "UNIFIED_CGROUP_HIERARCHY"}) {
        if (const auto value = caller.variable(name); value && !value->empty()) {
            return reader.boolean(name, Malformed::error);
        }
    }
    return std::nullopt;
}

std::string read_container_service(const Caller& caller) {
    constexpr size_t kLongest = 255;
    const auto value = caller.variable("SYSTEMD_NSPAWN_CONTAINER_SERVICE");
    if (!value) {
        return "systemd-nspawn";
    }
    // It becomes a line of /run/host/container-manager and a variable of the payload.
    if (value->size() > kLongest || printable(*value) != *value) {
        throw Error(
            fmt::format("$SYSTEMD_NSPAWN_CONTAINER_SERVICE: not a line of at most {} printable characters", kLongest));
    }
    return std::string(*value);
}

std::optional<MacAddress> read_network_mac(const Caller& caller) {
    constexpr std::string_view kName = "SYSTEMD_NSPAWN_NETWORK_MAC";
    const auto value = caller.variable(kName);
    if (!value || value->empty()) {
        return std::nullopt;
    }
    const auto mac = parse_mac_address(*value);
    if (!mac) {
        throw Error(fmt::format("${}={}: not a MAC address", kName, printable(value->substr(0, 80))));
    }
    return mac;
}

ImageSwitches read_image_switches(const Caller& caller, const Reader& reader) {
    ImageSwitches switches;
    switches.direct_io = reader.boolean("SYSTEMD_LOOP_DIRECT_IO", Malformed::warning).value_or(true);
    switches.verity_sidecar = reader.boolean("SYSTEMD_DISSECT_VERITY_SIDECAR", Malformed::warning).value_or(true);
    switches.verity_embedded = reader.boolean("SYSTEMD_DISSECT_VERITY_EMBEDDED", Malformed::warning).value_or(true);
    switches.verity_signature = reader.boolean("SYSTEMD_DISSECT_VERITY_SIGNATURE", Malformed::warning).value_or(true);
    const std::string_view list =
        caller.variable("SYSTEMD_DISSECT_FILE_SYSTEMS").value_or("ext4:btrfs:xfs:f2fs:vfat:erofs:squashfs");
    for (const std::string_view type : split_any(list, ": ,")) {
        switches.file_systems.emplace_back(type);
    }
    return switches;
}

} // namespace

EnvironmentSwitches EnvironmentSwitches::read(const Caller& caller) {
    EnvironmentSwitches switches;
    const Reader reader(caller, switches.warnings);
    const bool share_all = reader.boolean("SYSTEMD_NSPAWN_SHARE_SYSTEM", Malformed::error).value_or(false);
    const auto share = [&](std::string_view name) {
        return reader.boolean(name, Malformed::error).value_or(share_all);
    };

    switches.api_vfs_writable = read_api_vfs_writable(caller);
    switches.tmpfs_tmp = reader.boolean("SYSTEMD_NSPAWN_TMPFS_TMP", Malformed::error).value_or(true);
    switches.use_cgroup_namespace = reader.boolean("SYSTEMD_NSPAWN_USE_CGNS", Malformed::error).value_or(true);
    switches.lock = reader.boolean("SYSTEMD_NSPAWN_LOCK", Malformed::warning).value_or(true);
    switches.check_os_release = reader.boolean("SYSTEMD_NSPAWN_CHECK_OS_RELEASE", Malformed::warning).value_or(true);
    switches.share_ipc = share("SYSTEMD_NSPAWN_SHARE_NS_IPC");
    switches.share_pid = share("SYSTEMD_NSPAWN_SHARE_NS_PID");
    switches.share_uts = share("SYSTEMD_NSPAWN_SHARE_NS_UTS");
    switches.unified_hierarchy = read_unified_hierarchy(caller, reader);
    switches.container_service = read_container_service(caller);
    switches.seccomp = reader.boolean("SYSTEMD_SECCOMP", Malformed::warning).value_or(true);
    switches.log_seccomp = reader.boolean("SYSTEMD_LOG_SECCOMP", Malformed::warning).value_or(false);
    switches.suppress_sync = reader.boolean("SYSTEMD_SUPPRESS_SYNC", Malformed::warning);
    switches.tint_background = reader.boolean("SYSTEMD_TINT_BACKGROUND", Malformed::warning).value_or(true);
    switches.adjust_terminal_title = reader.boolean("SYSTEMD_ADJUST_TERMINAL_TITLE", Malformed::warning).value_or(true);
    switches.network_mac = read_network_mac(caller);
    switches.image = read_image_switches(caller, reader);
    return switches;
}

} // namespace nspawn
