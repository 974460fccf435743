#include "run/probe_host.hpp"

#include "base/file.hpp"
#include "base/text.hpp"
#include "image/os_release.hpp"
#include "linux/id_map.hpp"
#include "linux/kernel_file.hpp"
#include "plan/host_files.hpp"
#include "run/networkd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/major.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace nspawn {

namespace {

struct KnownDevice {
    const char* name;
    mode_t permissions;
    unsigned major;
    unsigned minor;
};
// spec C.2; the numbers are fixed, kernel documentation admin-guide/devices. Every kernel has these.
constexpr KnownDevice kRequiredDevices[] = {
    {"null", 0666, MEM_MAJOR, 3},   {"zero", 0666, MEM_MAJOR, 5},    {"full", 0666, MEM_MAJOR, 7},
    {"random", 0666, MEM_MAJOR, 8}, {"urandom", 0666, MEM_MAJOR, 9}, {"tty", 0666, TTYAUX_MAJOR, 0},
};
constexpr size_t kSmallFile = size_t{64} * 1024;

void add_device(HostFacts& facts, const char* name) {
    struct stat status {};
    if (stat(fmt::format("/dev/{}", name).c_str(), &status) == 0 && S_ISCHR(status.st_mode)) {
        facts.devices.push_back({name, status.st_mode, major(status.st_rdev), minor(status.st_rdev), false});
    }
}

void probe_devices(HostFacts& facts) {
    for (const KnownDevice& known : kRequiredDevices) {
        facts.devices.push_back({known.name, S_IFCHR | known.permissions, known.major, known.minor, true});
    }
    add_device(facts, "net/tun");
    // Only when it can be opened: the node alone would make programs try.
    if (open_at(AT_FDCWD, "/dev/fuse", O_RDWR | O_NONBLOCK | O_NOCTTY).ok()) {
        add_device(facts, "fuse");
    }
}

void probe_os_release(HostFacts& facts) {
    for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
        const Result<std::string> text = read_kernel_file(AT_FDCWD, path, kSmallFile);
        if (text.ok()) {
            facts.os_release_path = path;
            for (auto& [name, value] : host_os_release_fields(text.value())) {
                facts.container_host.emplace_back("container_host_" + lower_case(name), std::move(value));
            }
            return;
        }
    }
}

// Whether systemd-resolved's stub listener is on: its file alone may be there without it. Asked of the kernel, since
// the bus may not be there to ask: udp(7) sockets are listed with address and port in hexadecimal, as the memory has
// them.
bool stub_resolver_listens() {
    if (access(kStubResolvConf, F_OK) < 0) {
        return false;
    }
    constexpr size_t kManySockets = size_t{4} << 20;
    const Result<std::string> sockets = read_kernel_file(AT_FDCWD, "/proc/net/udp", kManySockets);
    const std::string address = fmt::format(" {:08X}:{:04X} ", htonl(0x7F000035), 53); // 127.0.0.53
    return sockets.ok() && sockets.value().find(address) != std::string::npos;
}

void probe_local_time(HostFacts& facts) {
    std::array<char, PATH_MAX> link; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlink
    const ssize_t size = readlink(kLocalTimePath, link.data(), link.size());
    if (size >= 0) {
        facts.local_time = LocalTime::link;
        facts.local_time_link.assign(link.data(), static_cast<size_t>(size));
    } else if (errno == EINVAL) {
        facts.local_time = LocalTime::file;
    }
}

// What the MAC addresses of interfaces follow from; a host without one has others in each run.
std::optional<Id128> host_machine_id() {
    const Result<std::string> text = read_file(AT_FDCWD, "/etc/machine-id", kSmallFile);
    return text.ok() ? Id128::parse(trim(text.value())) : std::nullopt;
}

std::string environment_value(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

// sd_listen_fds(3): only when the variables were meant for this process.
unsigned count_listen_fds() {
    const auto pid = parse_unsigned(environment_value("LISTEN_PID"));
    const auto count = parse_unsigned(environment_value("LISTEN_FDS"));
    if (!pid || !count || *pid != static_cast<uint64_t>(getpid()) || *count == 0) {
        return 0;
    }
    constexpr uint64_t kMost = 1024;
    for (uint64_t i = 0; i < std::min(*count, kMost); ++i) {
        if (fcntl(static_cast<int>(3 + i), F_GETFD) < 0) {
            throw Error("$LISTEN_FDS promises " + std::to_string(*count) + " descriptors, but number " +
                        std::to_string(3 + i) + " is not open");
        }
    }
    return static_cast<unsigned>(std::min(*count, kMost));
}

// Of a line "KEY:\tVALUE" of proc_pid_status(5); no value when there is none.
std::optional<std::string_view> status_field(std::string_view status, std::string_view key) {
    const size_t at = status.find(key);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    status.remove_prefix(at + key.size());
    return trim(status.substr(0, status.find('\n')));
}

void probe_process(HostProbe& probe) {
    const std::string status = read_kernel_file(AT_FDCWD, "/proc/self/status", kSmallFile).or_throw("");
    if (const auto sets = parse_capability_status(status)) {
        // What leaves our bounding set does not come back at the payload's exec.
        probe.facts.capabilities = sets->permitted & sets->bounding;
        probe.bounding_set = sets->bounding;
    }
    probe.ignored_signals = parse_unsigned(status_field(status, "\nSigIgn:").value_or("0"), 16).value_or(0);
    probe.no_groups = status_field(status, "\nGroups:") == "";
    probe.facts.seccomp = status.find("\nSeccomp:") != std::string::npos; // with CONFIG_SECCOMP only
    probe.facts.nested = !in_initial_user_namespace();
    probe.facts.can_make_nodes = has_capability(probe.facts.capabilities, CAP_MKNOD) && !probe.facts.nested;
}

} // namespace

HostProbe probe_host(const Config& config, const Caller& caller) {
    HostProbe probe;
    HostFacts& facts = probe.facts;
    probe_process(probe);
    probe_devices(facts);
    probe_os_release(facts);

    probe.cgroups = probe_cgroups();
    facts.cgroups = probe.cgroups.layout;
    // A kernel with control groups has their namespaces too, since Linux 4.6.
    facts.cgroup_namespaces = facts.cgroups != CgroupLayout::none || access("/proc/self/ns/cgroup", F_OK) == 0;
    for (const CgroupHierarchy& hierarchy : probe.cgroups.version1) {
        const std::string_view name = hierarchy.controllers;
        facts.legacy_controllers.emplace_back(name == "name=systemd" ? "systemd" : name);
    }

    if (config.users.mode != UserMode::host) {
        facts.all_capabilities = all_capabilities();
    }
    facts.default_limits = default_resource_limits().or_throw("resource limits");
    facts.selinux = access("/sys/fs/selinux/enforce", F_OK) == 0;
    if (!config.selinux_context.empty() && !facts.selinux) {
        throw Error("--selinux-context=: SELinux is not enabled on this host");
    }
    if (config.network_managed != ManagedMode::no) {
        facts.ipv6 = access("/proc/net/if_inet6", F_OK) == 0;
        const bool runs = networkd_runs();
        facts.networkd_veth_file = runs ? networkd_file("80-container-ve.network") : "";
        facts.networkd_zone_file = runs ? networkd_file("80-container-vz.network") : "";
    }
    if (config.network.has_links()) {
        facts.machine_id = host_machine_id();
    }
    if (config.resolv_conf.way == HostFileWay::automatic) {
        facts.stub_resolver = stub_resolver_listens();
    }
    if (config.timezone != HostFileWay::off) {
        probe_local_time(facts);
    }
    facts.term = environment_value("TERM");
    facts.colorterm = environment_value("COLORTERM");
    facts.no_color = environment_value("NO_COLOR");
    facts.listen_fds = count_listen_fds();
    facts.stdio_has_terminal = caller.stdin_is_terminal || caller.stdout_is_terminal || caller.stderr_is_terminal;
    return probe;
}

} // namespace nspawn
