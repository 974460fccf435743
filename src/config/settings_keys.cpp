#include "config/settings_keys.hpp"

#include <algorithm>

namespace nspawn {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kDocumented[] = {
    "Exec.Boot"sv,
    "Exec.Ephemeral"sv,
    "Exec.ProcessTwo"sv,
    "Exec.Parameters"sv,
    "Exec.Environment"sv,
    "Exec.User"sv,
    "Exec.WorkingDirectory"sv,
    "Exec.PivotRoot"sv,
    "Exec.Capability"sv,
    "Exec.DropCapability"sv,
    "Exec.AmbientCapability"sv,
    "Exec.NoNewPrivileges"sv,
    "Exec.KillSignal"sv,
    "Exec.Personality"sv,
    "Exec.MachineID"sv,
    "Exec.PrivateUsers"sv,
    "Exec.NotifyReady"sv,
    "Exec.SystemCallFilter"sv,
    "Exec.RestrictAddressFamilies"sv,
    "Exec.LimitCPU"sv,
    "Exec.LimitFSIZE"sv,
    "Exec.LimitDATA"sv,
    "Exec.LimitSTACK"sv,
    "Exec.LimitCORE"sv,
    "Exec.LimitRSS"sv,
    "Exec.LimitNOFILE"sv,
    "Exec.LimitAS"sv,
    "Exec.LimitNPROC"sv,
    "Exec.LimitMEMLOCK"sv,
    "Exec.LimitLOCKS"sv,
    "Exec.LimitSIGPENDING"sv,
    "Exec.LimitMSGQUEUE"sv,
    "Exec.LimitNICE"sv,
    "Exec.LimitRTPRIO"sv,
    "Exec.LimitRTTIME"sv,
    "Exec.OOMScoreAdjust"sv,
    "Exec.CPUAffinity"sv,
    "Exec.Hostname"sv,
    "Exec.ResolvConf"sv,
    "Exec.Timezone"sv,
    "Exec.LinkJournal"sv,
    "Exec.SuppressSync"sv,
    "Files.ReadOnly"sv,
    "Files.Volatile"sv,
    "Files.Bind"sv,
    "Files.BindReadOnly"sv,
    "Files.BindUser"sv,
    "Files.TemporaryFileSystem"sv,
    "Files.Inaccessible"sv,
    "Files.Overlay"sv,
    "Files.OverlayReadOnly"sv,
    "Files.PrivateUsersOwnership"sv,
    "Files.PrivateUsersChown"sv,
    "Network.Private"sv,
    "Network.NamespacePath"sv,
    "Network.VirtualEthernet"sv,
    "Network.VirtualEthernetExtra"sv,
    "Network.Interface"sv,
    "Network.MACVLAN"sv,
    "Network.IPVLAN"sv,
    "Network.Bridge"sv,
    "Network.Zone"sv,
    "Network.Port"sv,
};

bool has_section(std::string_view setting, std::string_view section) {
    return setting.starts_with(section) && setting.substr(section.size()).starts_with('.');
}

} // namespace

std::span<const std::string_view> documented_settings() { return kDocumented; }

bool is_documented_setting(std::string_view section, std::string_view key) {
    return std::any_of(std::begin(kDocumented), std::end(kDocumented), [&](std::string_view each) {
        return has_section(each, section) && each.substr(section.size() + 1) == key;
    });
}

bool is_documented_section(std::string_view section) {
    return std::any_of(std::begin(kDocumented), std::end(kDocumented),
                       [&](std::string_view each) { return has_section(each, section); });
}

} // namespace nspawn
