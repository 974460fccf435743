// environment_switches.hpp — the switches that come as environment variables, read once.
//
// Owns their names and grammar. A malformed value is an error where the switch decides what the container may do, and
// a warning where it only decides how things look; it is never taken for "off" in silence. Never reads the
// environment itself: it is passed in. Names and meaning: systemd's ENVIRONMENT.md as collected in the manual's
// section "Environment".
#pragma once

#include "config/caller.hpp"
#include "linux/ip_address.hpp"

#include <optional>
#include <string>
#include <vector>

namespace nspawn {

enum class ApiVfsWritable { no, yes, network };

// For disk images.
struct ImageSwitches {
    bool direct_io = true;                 // $SYSTEMD_LOOP_DIRECT_IO
    std::vector<std::string> file_systems; // $SYSTEMD_DISSECT_FILE_SYSTEMS: those that are mounted
    bool verity_sidecar = true;            // $SYSTEMD_DISSECT_VERITY_SIDECAR: look at files beside the image
    bool verity_embedded = true;           // $SYSTEMD_DISSECT_VERITY_EMBEDDED: look at signature partitions
    bool verity_signature = true;          // $SYSTEMD_DISSECT_VERITY_SIGNATURE: use signatures at all
};

struct EnvironmentSwitches {
    // $SYSTEMD_NSPAWN_API_VFS_WRITABLE; empty: as the network decides.
    std::optional<ApiVfsWritable> api_vfs_writable;
    bool tmpfs_tmp = true;            // $SYSTEMD_NSPAWN_TMPFS_TMP
    bool use_cgroup_namespace = true; // $SYSTEMD_NSPAWN_USE_CGNS
    bool lock = true;                 // $SYSTEMD_NSPAWN_LOCK
    bool check_os_release = true;     // $SYSTEMD_NSPAWN_CHECK_OS_RELEASE
    bool share_ipc = false;           // $SYSTEMD_NSPAWN_SHARE_NS_IPC, $SYSTEMD_NSPAWN_SHARE_SYSTEM
    bool share_pid = false;           // $SYSTEMD_NSPAWN_SHARE_NS_PID, …
    bool share_uts = false;           // $SYSTEMD_NSPAWN_SHARE_NS_UTS, …
    // $SYSTEMD_NSPAWN_UNIFIED_HIERARCHY, or its old name $UNIFIED_CGROUP_HIERARCHY; empty: as the host and image say.
    std::optional<bool> unified_hierarchy;
    std::string container_service = "systemd-nspawn"; // $SYSTEMD_NSPAWN_CONTAINER_SERVICE: value of $container
    bool seccomp = true;                              // $SYSTEMD_SECCOMP
    bool log_seccomp = false;                         // $SYSTEMD_LOG_SECCOMP
    std::optional<bool> suppress_sync;                // $SYSTEMD_SUPPRESS_SYNC: the default of --suppress-sync=
    bool tint_background = true;                      // $SYSTEMD_TINT_BACKGROUND
    bool adjust_terminal_title = true;                // $SYSTEMD_ADJUST_TERMINAL_TITLE
    std::optional<MacAddress> network_mac;            // $SYSTEMD_NSPAWN_NETWORK_MAC: of the container's end of a veth
    ImageSwitches image;

    std::vector<std::string> warnings;

    // Throws Error for a malformed value of a switch that matters to the container.
    static EnvironmentSwitches read(const Caller& caller);
};

} // namespace nspawn
