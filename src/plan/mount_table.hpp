// mount_table.hpp — the container's mounts, nodes and files, in the order in which they are made (spec C.2).
//
// Fills Plan::groups; pure. Paths and flags stand in one table each, so that the manual, --dry-run and the read-back
// after mounting speak of the same thing.
#pragma once

#include "plan/plan.hpp"

#include <linux/mount.h>

namespace nspawn {

inline constexpr const char* kDevicePath = "/dev";
inline constexpr const char* kNotifySocketPath = "/run/host/notify";
inline constexpr const char* kCredentialsPath = "/run/host/credentials";
inline constexpr const char* kIncomingPath = "/run/host/incoming";
inline constexpr const char* kUnixExportPath = "/run/host/unix-export";
// The host is not to follow or execute what the container puts there.
inline constexpr uint64_t kUnixExportAttributes =
    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;
inline constexpr const char* kInaccessiblePath = "/run/host/inaccessible";
inline constexpr const char* kMaskNode = "/run/host/inaccessible/reg";

// Names of the groups, in order; also stage names.
inline constexpr const char* kStageProc = "mount /proc";
inline constexpr const char* kStageApiFileSystems = "mount API file systems";
inline constexpr const char* kStageDevices = "make device nodes";
inline constexpr const char* kStageHostDirectory = "make /run/host";
inline constexpr const char* kStageSealHostDirectory = "seal /run/host";
inline constexpr const char* kStageMasks = "mask kernel interfaces";
inline constexpr const char* kStageControlGroups = "mount control groups";
inline constexpr const char* kStageCustomMounts = "apply custom mounts";
inline constexpr const char* kStageIncoming = "attach the incoming directory";

struct MountTableInput {
    const Config& config;
    const EnvironmentSwitches& switches;
    const HostFacts& host;
    const ImageFacts& image;
};
void plan_mounts(Plan& plan, const MountTableInput& input);

// Whoever writes uid=5 means the container's user 5; the mount is made with the host's ids. `whose` is for the message.
void make_ids_of_host(MountOption& option, const IdMap& map, std::string_view whose);

} // namespace nspawn
