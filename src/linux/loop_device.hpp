// loop_device.hpp — a block device made of a file, or of a part of one.
//
// Owns the descriptor of the device. The device takes itself apart with its last user (LO_FLAGS_AUTOCLEAR): a mount
// keeps it, and after the death of everybody who knew of it nothing is left. A partition is a device of its own over a
// part of the file, so that nobody has to wait for partition nodes to appear. Never finds a device by its name twice:
// what was opened is what was configured. Source: loop(4), <linux/loop.h> (LOOP_CONFIGURE, Linux 5.8).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

namespace nspawn {

struct LoopRequest {
    int backing = -1; // open regular file or block device; for writing too unless read_only
    uint64_t offset = 0;
    uint64_t size = 0; // 0: to the end
    bool read_only = false;
    bool direct_io = true; // past the page cache where the file system underneath can
};

class LoopDevice {
public:
    LoopDevice() = default;
    // Takes a free device. ENOENT: this kernel or this container has no loop devices.
    static Result<LoopDevice> attach(const LoopRequest& request);

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] bool valid() const { return fd_.valid(); }
    [[nodiscard]] const std::string& path() const { return path_; } // "/dev/loop3"

private:
    UniqueFd fd_;
    std::string path_;
};

// A loop device that shows this file and lets it be written ("/dev/loop3"); nothing: there is none, or none that can be
// seen from here.
std::optional<std::string> find_writable_loop_of(int file);

} // namespace nspawn
