#include "sample_input.hpp"

#include <sys/stat.h>

namespace nspawn {

SampleInput::SampleInput() {
    config.machine = "web";
    config.words = {"/bin/echo", "two words"};
    config.console = ConsoleMode::pipe;
    host.os_release_path = "/etc/os-release";
    host.container_host = {{"container_host_id", "debian"}, {"container_host_version_id", "12"}};
    host.term = "xterm";
    host.capabilities = kDefaultRetainedCapabilities | capability_mask(CAP_NET_ADMIN, CAP_SYS_TIME);
    host.cgroups = CgroupLayout::unified;
    host.devices = {{"null", S_IFCHR | 0666, 1, 3, true}, {"net/tun", S_IFCHR | 0666, 10, 200, false}};
    host.propagate_directory = "/run/systemd/nspawn/propagate/web";
    host.unix_export_directory = "/run/systemd/nspawn/unix-export/web";
    host.local_time = LocalTime::link;
    host.local_time_link = "/usr/share/zoneinfo/Europe/Berlin";
    for (rlimit64& limit : host.default_limits) {
        limit = {1024, RLIM64_INFINITY};
    }
    image.machine = "web";
    image.path = "/srv/web";
    image.machine_id = Id128::parse("0123456789abcdef0123456789abcdef");
}

} // namespace nspawn
