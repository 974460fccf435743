// host_facts.hpp — what the plan has to know of the host and of the caller, probed once before the plan is made.
//
// Plain data, so that plans can be made for any host in tests. Filled by probe_host() in the run folder.
#pragma once

#include "base/id128.hpp"
#include "linux/capability.hpp"
#include "linux/cgroup_hierarchies.hpp"
#include "linux/resource_limit.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nspawn {

struct HostDevice {
    std::string name; // below /dev
    unsigned mode = 0;
    unsigned major = 0;
    unsigned minor = 0;
    bool required = false;
};

// What the host's /etc/localtime is.
enum class LocalTime { missing, file, link };

struct HostFacts {
    std::string os_release_path;                                     // empty: the host has none
    std::vector<std::pair<std::string, std::string>> container_host; // container_host_* variables, in order
    std::string term;                                                // the caller's TERM, may be empty
    std::string colorterm;
    std::string no_color;
    CapabilityMask capabilities = 0;     // what the caller could give away
    CapabilityMask all_capabilities = 0; // those the kernel knows; only probed with private users
    CgroupLayout cgroups = CgroupLayout::none;
    std::vector<std::string> legacy_controllers; // v1 mounts below /sys/fs/cgroup, "name=systemd" as "systemd"
    bool cgroup_namespaces = true;
    ResourceLimitSet default_limits{}; // spec C.5
    bool selinux = false;
    std::string
        networkd_veth_file; // by which systemd-networkd, which runs, manages links of their own; empty: it does not
    std::string networkd_zone_file;  // … and zones
    bool ipv6 = false;               // only probed for a managed network, as these two
    std::optional<Id128> machine_id; // only probed where interfaces are made
    bool seccomp = true;
    std::vector<HostDevice> devices;
    unsigned listen_fds = 0;         // socket activation descriptors to pass on
    bool nested = false;             // we are in a user namespace ourselves
    bool can_make_nodes = true;      // mknod(2) of devices is allowed to us
    bool stdio_has_terminal = false; // one of the caller's standard streams is one
    bool stub_resolver = false;      // systemd-resolved answers on the loopback interface
    LocalTime local_time = LocalTime::missing;
    std::string local_time_link;       // what stands in it
    std::string propagate_directory;   // shown as /run/host/incoming; empty: none
    std::string unix_export_directory; // shown as /run/host/unix-export to a system that boots; empty: none
};

} // namespace nspawn
