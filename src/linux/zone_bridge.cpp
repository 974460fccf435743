#include "linux/zone_bridge.hpp"

#include "base/file.hpp"
#include "base/id128.hpp"

#include <ctime>

#include <fcntl.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr const char* kDirectory = "/run/systemd";
constexpr const char* kLockPath = "/run/systemd/nspawn-network-zone";

Result<UniqueFd> open_lock_file() {
    Result<UniqueFd> file = open_at(AT_FDCWD, kLockPath, O_RDWR | O_CREAT | O_NOCTTY | O_NOFOLLOW, 0600);
    if (file.error() == ENOENT) {
        mkdir(kDirectory, 0755); // whether it is there now is told by the next attempt
        file = open_at(AT_FDCWD, kLockPath, O_RDWR | O_CREAT | O_NOCTTY | O_NOFOLLOW, 0600);
    }
    return file;
}

// `command`: F_OFD_SETLKW or F_OFD_SETLK.
Result<UniqueFd> lock_file(int command) {
    for (;;) {
        Result<UniqueFd> file = open_lock_file();
        if (!file.ok()) {
            return file;
        }
        struct flock whole {};
        whole.l_type = F_WRLCK;
        whole.l_whence = SEEK_SET;
        if (fcntl(file.value().get(), command, &whole) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return SystemError{errno == EACCES ? EAGAIN : errno, "fcntl"};
        }
        // Who has it removes the file with it: then this lock is on nothing.
        struct stat status {};
        if (fstat(file.value().get(), &status) < 0) {
            return last_error("fstat");
        }
        if (status.st_nlink > 0) {
            return file;
        }
    }
}

Result<bool> has_members(NetlinkSocket& socket, int bridge) {
    const Result<std::vector<Link>> members = list_links(socket, bridge);
    return members.ok() ? Result<bool>(!members.value().empty()) : members.system_error();
}

MacAddress any_address() {
    MacAddress mac{};
    fill_random(mac.data(), mac.size());
    mac[0] = static_cast<uint8_t>((mac[0] & 0xFE) | 0x02); // unicast, locally administered
    return mac;
}

} // namespace

Result<ZoneLock> ZoneLock::take(IfTaken if_taken) {
    Result<UniqueFd> file = lock_file(if_taken == IfTaken::wait ? F_OFD_SETLKW : F_OFD_SETLK);
    return file.ok() ? Result<ZoneLock>(ZoneLock(std::move(file).value())) : file.system_error();
}

ZoneLock::~ZoneLock() {
    if (file_) {
        ::unlink(kLockPath);
    }
}

Result<Link> find_or_make_zone_bridge(NetlinkSocket& socket, const std::string& name,
                                      const std::optional<MacAddress>& first, const ZoneLock&) {
    Result<Link> found = find_link(socket, name);
    if (found.error() == ENODEV) {
        const Result<void> made = make_bridge(socket, {.name = name, .mac = first ? *first : any_address()});
        if (!made.ok()) {
            return made.system_error();
        }
        found = find_link(socket, name);
    }
    if (found.ok() && found.value().kind != "bridge") {
        return SystemError{EEXIST, "netlink"};
    }
    return found;
}

Result<void> remove_zone_bridge_if_empty(NetlinkSocket& socket, const std::string& name, const ZoneLock&) {
    const Result<Link> found = find_link(socket, name);
    if (!found.ok()) {
        return found.error() == ENODEV ? Result<void>() : found.system_error();
    }
    if (found.value().kind != "bridge") {
        return {};
    }
    const Result<bool> members = has_members(socket, found.value().index);
    if (!members.ok()) {
        return members.system_error();
    }
    return members.value() ? SystemError{EBUSY, "netlink"} : delete_link(socket, found.value().index);
}

namespace {

Result<void> try_to_reclaim(const std::string& name) {
    const Result<ZoneLock> lock = ZoneLock::take(ZoneLock::IfTaken::fail);
    if (!lock.ok()) {
        return lock.system_error();
    }
    Result<NetlinkSocket> socket = NetlinkSocket::open();
    return socket.ok() ? remove_zone_bridge_if_empty(socket.value(), name, lock.value()) : socket.system_error();
}

} // namespace

Result<void> reclaim_zone_bridge(const std::string& name) {
    if (!name.starts_with("vz-")) {
        return SystemError{EINVAL, "name"};
    }
    // The kernel takes the dead run's end away in its own time. Members that stay are of living runs, and the last of
    // those removes the bridge.
    constexpr timespec kMoment = {.tv_sec = 0, .tv_nsec = 10'000'000};
    constexpr int kMoments = 100;
    for (int moment = 0; moment < kMoments; ++moment) {
        const Result<void> done = try_to_reclaim(name);
        if (done.error() != EAGAIN && done.error() != EBUSY) {
            return done;
        }
        nanosleep(&kMoment, nullptr);
    }
    return SystemError{EAGAIN, "netlink"};
}

} // namespace nspawn
