#include "lease/live_leases.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace nspawn {

bool is_held(int file) {
    struct flock lock {};
    lock.l_type = F_RDLCK; // in the way of a writer's lock only: a reader's, which anybody may take, says nothing
    lock.l_whence = SEEK_SET;
    return fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
}

std::optional<LeaseRecord> read_live_lease(int machines, const char* machine) {
    const Result<UniqueFd> file = open_at(machines, machine, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct stat status {};
    if (!file.ok() || fstat(file.value().get(), &status) < 0 || !S_ISREG(status.st_mode) ||
        !is_held(file.value().get())) {
        return std::nullopt;
    }
    const Result<std::string> text = read_all(file.value().get(), kLargestLease);
    std::optional<LeaseRecord> record = text.ok() ? parse_lease(text.value()) : std::nullopt;
    return record && record->machine == machine ? std::move(record) : std::nullopt;
}

std::vector<LeaseRecord> read_live_leases(const char* directory, size_t limit) {
    std::vector<LeaseRecord> leases;
    const std::string path = std::string(directory) + "/machines";
    const Result<UniqueFd> machines = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!machines.ok()) {
        return leases;
    }
    const int fd = machines.value().get();
    (void)for_each_entry(fd, [&](const dirent64& entry) {
        if (entry.d_name[0] != '.') {
            if (auto lease = read_live_lease(fd, static_cast<const char*>(entry.d_name))) {
                leases.push_back(std::move(*lease));
            }
            --limit;
        }
        return limit > 0;
    });
    return leases;
}

} // namespace nspawn
