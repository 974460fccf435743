#include "linux/loop_device.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"

#include <ctime>

#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace nspawn {

namespace {

// A free device is free until somebody else has taken it, and one that is being taken apart is busy for a moment.
constexpr int kAttempts = 64;
constexpr timespec kMoment = {.tv_sec = 0, .tv_nsec = 2'000'000};

std::string device_path(long number) { return "/dev/loop" + std::to_string(number); }

bool is_loop_device(int fd, long number) {
    struct stat status {};
    return fstat(fd, &status) == 0 && S_ISBLK(status.st_mode) && major(status.st_rdev) == LOOP_MAJOR &&
           (number < 0 || minor(status.st_rdev) == static_cast<unsigned>(number));
}

Result<UniqueFd> open_device(long number, bool read_only) {
    Result<UniqueFd> device =
        open_at(AT_FDCWD, device_path(number).c_str(), (read_only ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK);
    if (device.ok() && !is_loop_device(device.value().get(), number)) {
        return SystemError{ENXIO, "open"};
    }
    return device;
}

Result<void> configure(int device, const LoopRequest& request, bool direct_io) {
    loop_config config{};
    config.fd = static_cast<unsigned>(request.backing);
    config.info.lo_offset = request.offset;
    config.info.lo_sizelimit = request.size;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (request.read_only) {
        config.info.lo_flags |= LO_FLAGS_READ_ONLY;
    }
    if (direct_io) {
        config.info.lo_flags |= LO_FLAGS_DIRECT_IO;
    }
    return check(ioctl(device, LOOP_CONFIGURE, &config), "ioctl(LOOP_CONFIGURE)");
}

bool may_pass(int error) { return error == EBUSY || error == EAGAIN || error == ENXIO || error == EINTR; }

} // namespace

Result<LoopDevice> LoopDevice::attach(const LoopRequest& request) {
    const Result<UniqueFd> control = open_at(AT_FDCWD, "/dev/loop-control", O_RDWR | O_NOFOLLOW);
    if (!control.ok()) {
        return control.system_error();
    }
    bool direct_io = request.direct_io;
    SystemError last{EBUSY, "ioctl(LOOP_CONFIGURE)"};
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const long number = ioctl(control.value().get(), LOOP_CTL_GET_FREE);
        if (number < 0) {
            return last_error("ioctl(LOOP_CTL_GET_FREE)");
        }
        Result<UniqueFd> device = open_device(number, request.read_only);
        const Result<void> done =
            device.ok() ? configure(device.value().get(), request, direct_io) : Result<void>(device.system_error());
        if (done.ok()) {
            LoopDevice loop;
            loop.fd_ = std::move(device).value();
            loop.path_ = device_path(number);
            return loop;
        }
        last = done.system_error();
        if (last.code == EINVAL && direct_io) {
            direct_io = false; // the blocks underneath are larger than what a partition may start at
            continue;
        }
        if (!may_pass(last.code)) {
            break;
        }
        nanosleep(&kMoment, nullptr);
    }
    return last;
}

std::optional<std::string> find_writable_loop_of(int file) {
    struct stat wanted {};
    const Result<UniqueFd> list = open_at(AT_FDCWD, "/sys/block", O_RDONLY | O_DIRECTORY);
    if (fstat(file, &wanted) < 0 || !list.ok()) {
        return std::nullopt;
    }
    std::optional<std::string> found;
    (void)for_each_entry(list.value().get(), [&](const dirent64& entry) { // what cannot be listed is not found
        const std::string name = entry.d_name;
        if (!name.starts_with("loop") ||
            faccessat(list.value().get(), (name + "/loop/backing_file").c_str(), F_OK, 0) < 0) {
            return true;
        }
        const Result<UniqueFd> device = open_at(AT_FDCWD, ("/dev/" + name).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        loop_info64 info{};
        if (device.ok() && is_loop_device(device.value().get(), -1) &&
            ioctl(device.value().get(), LOOP_GET_STATUS64, &info) == 0 && info.lo_inode == wanted.st_ino &&
            info.lo_device == wanted.st_dev && (info.lo_flags & LO_FLAGS_READ_ONLY) == 0) {
            found = "/dev/" + name;
        }
        return !found;
    });
    return found;
}

} // namespace nspawn
