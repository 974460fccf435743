#include "run/networkd.hpp"

#include "base/path.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

bool networkd_runs() {
    // One for each way in which the hierarchies may be mounted.
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"}) {
        if (access(join(root, "system.slice/systemd-networkd.service").c_str(), F_OK) == 0) {
            return true;
        }
    }
    return false;
}

std::string networkd_file(const std::string& name) {
    for (const char* directory : {"/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network",
                                  "/usr/lib/systemd/network", "/lib/systemd/network"}) {
        const std::string path = join(directory, name);
        struct stat status {};
        if (stat(path.c_str(), &status) == 0) {
            return S_ISREG(status.st_mode) && status.st_size > 0 ? path : std::string();
        }
    }
    return {};
}

} // namespace nspawn
