#include "lease/lease_table.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"
#include "lease/host_setting.hpp"
#include "linux/network_namespace.hpp"

#include <algorithm>
#include <cstdio>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr const char* kMachines = "/machines/";
constexpr const char* kResolvConfs = "/resolv.conf/";
constexpr const char* kDhcpHosts = "/dhcp/";
constexpr const char* kLinks = "/links/";
constexpr const char* kSettings = "/settings";

// Whether it is there now is told by who opens something in it.
void make_directory(const std::string& directory) {
    mkdir(directory.substr(0, directory.find_last_of('/')).c_str(), 0755);
    mkdir(directory.c_str(), 0755);
}

Result<void> make_subdirectories(const std::string& directory) {
    for (const char* below : {kMachines, kResolvConfs, kDhcpHosts, kLinks, kSettings}) {
        if (mkdir((directory + below).c_str(), 0755) < 0 && errno != EEXIST) {
            return last_error("mkdir");
        }
    }
    return {};
}

// A new file under a temporary name, which nobody else has a lock on, takes the place of whatever was there.
Result<UniqueFd> put_file(const std::string& directory, const std::string& name, std::string_view content, bool held) {
    const std::string temporary = directory + ".#" + name;
    ::unlink(temporary.c_str());
    Result<UniqueFd> file =
        open_at(AT_FDCWD, temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY, 0644);
    if (!file.ok()) {
        return file;
    }
    const int fd = file.value().get();
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    Result<void> done = check(fchmod(fd, 0644), "fchmod"); // whatever the umask
    if (done.ok() && held) {
        done = check(fcntl(fd, F_OFD_SETLK, &lock), "fcntl");
    }
    if (done.ok()) {
        done = write_all(fd, content);
    }
    if (done.ok()) {
        done = check(rename(temporary.c_str(), (directory + name).c_str()), "rename");
    }
    if (!done.ok()) {
        ::unlink(temporary.c_str());
        return done.system_error();
    }
    return file;
}

bool is_alive(int directory, const char* name) {
    const Result<UniqueFd> file = open_at(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    return file.ok() && is_held(file.value().get());
}

std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> names;
    const Result<UniqueFd> fd = open_at(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd.ok()) {
        (void)for_each_entry(fd.value().get(), [&](const dirent64& entry) {
            names.emplace_back(static_cast<const char*>(entry.d_name));
            return true;
        });
    }
    return names;
}

// Names of links are each host's own.
std::string key_of(uint64_t network_namespace, std::string_view link) {
    return std::to_string(network_namespace).append("-").append(link);
}

std::string key_of(const LeaseRecord& lease) { return key_of(lease.network_namespace, lease.link); }

// The lock of a link, and what a DHCP server there is told, as long as somebody has addresses on it.
void forget_dead_links(const std::string& directory, const std::vector<LeaseRecord>& alive) {
    const auto has = [&](auto matches) { return std::any_of(alive.begin(), alive.end(), matches); };
    for (const std::string& link : names_in(directory + kLinks)) {
        if (!has([&](const LeaseRecord& lease) { return key_of(lease) == link; })) {
            ::unlink((directory + kLinks + link).c_str());
        }
    }
    for (const std::string& link : names_in(directory + kDhcpHosts)) {
        const std::string hosts = directory + kDhcpHosts + link + "/";
        for (const std::string& host : names_in(hosts)) {
            if (!has([&](const LeaseRecord& lease) { return key_of(lease) == link && lease.machine == host; })) {
                ::unlink((hosts + host).c_str());
            }
        }
        ::rmdir(hosts.c_str()); // stays unless it is empty
    }
}

} // namespace

Result<LeaseTable> LeaseTable::lock(Wait wait, std::string directory) {
    const std::string path = directory + "/lock";
    Result<UniqueFd> file = open_at(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (file.error() == ENOENT) {
        make_directory(directory);
        file = open_at(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    }
    if (!file.ok()) {
        return file.system_error();
    }
    while (flock(file.value().get(), LOCK_EX | (wait == Wait::no ? LOCK_NB : 0)) < 0) {
        if (errno != EINTR) {
            return last_error("flock");
        }
    }
    // Whoever made the directory may not have got the lock first.
    if (const Result<void> made = make_subdirectories(directory); !made.ok()) {
        return made.system_error();
    }
    return LeaseTable(std::move(directory), std::move(file).value());
}

void LeaseTable::sweep() {
    const std::string path = directory_ + kMachines;
    const Result<UniqueFd> machines = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!machines.ok()) {
        return;
    }
    std::vector<std::string> dead;
    (void)for_each_entry(machines.value().get(), [&](const dirent64& entry) {
        const auto* const name = static_cast<const char*>(entry.d_name);
        if (!is_alive(machines.value().get(), name)) {
            dead.emplace_back(name);
        }
        return true;
    });
    for (const std::string& name : dead) {
        ::unlink((path + name).c_str());
        ::unlink((directory_ + kResolvConfs + name).c_str());
    }
    const std::vector<LeaseRecord> alive = leases();
    forget_dead_links(directory_, alive);
    const auto needs_settings = [own = own_network_namespace()](const LeaseRecord& lease) {
        return lease.network_namespace == own && lease.is_managed();
    };
    if (std::none_of(alive.begin(), alive.end(), needs_settings)) {
        restore_settings(directory_ + kSettings);
    }
}

Result<UniqueFd> LeaseTable::add(const LeaseRecord& lease, std::string_view resolv_conf) {
    const Result<UniqueFd> machines =
        open_at(AT_FDCWD, (directory_ + kMachines).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!machines.ok()) {
        return machines.system_error();
    }
    if (is_alive(machines.value().get(), lease.machine.c_str())) {
        return SystemError{EEXIST, "open"};
    }
    if (!resolv_conf.empty()) {
        const Result<UniqueFd> written = put_file(directory_ + kResolvConfs, lease.machine, resolv_conf, false);
        if (!written.ok()) {
            return written.system_error();
        }
    }
    return put_file(directory_ + kMachines, lease.machine, lease_as_text(lease), true);
}

Result<void> LeaseTable::add_dhcp_host(const LeaseRecord& lease, std::string_view line) {
    const std::string hosts = dhcp_hosts_directory(lease.link, directory_);
    if (mkdir(hosts.c_str(), 0755) < 0 && errno != EEXIST) {
        return last_error("mkdir");
    }
    const Result<UniqueFd> written = put_file(hosts + "/", lease.machine, line, false);
    return written.ok() ? Result<void>() : Result<void>(written.system_error());
}

void LeaseTable::remove(const std::string& machine) {
    ::unlink((directory_ + kMachines + machine).c_str());
    ::unlink((directory_ + kResolvConfs + machine).c_str());
    sweep();
}

Result<void> LeaseTable::change_setting(const std::string& name, const std::string& value) {
    return nspawn::change_setting(directory_ + kSettings, name, value);
}

bool LeaseTable::has_changed(const std::string& name) const { return is_recorded(directory_ + kSettings, name); }

std::string lease_file(std::string_view machine, std::string_view directory) {
    return std::string(directory) + kMachines + std::string(machine);
}

std::string leased_resolv_conf(std::string_view machine, std::string_view directory) {
    return std::string(directory) + kResolvConfs + std::string(machine);
}

std::string dhcp_hosts_directory(std::string_view link, std::string_view directory) {
    return std::string(directory) + kDhcpHosts + key_of(own_network_namespace(), link);
}

std::string link_lock_file(std::string_view link, std::string_view directory) {
    return std::string(directory) + kLinks + key_of(own_network_namespace(), link);
}

uint64_t own_network_namespace() { return own_network_namespace_number().value_or(0); }

} // namespace nspawn
