// scratch_mount.hpp — a small tmpfs that is mounted on the host for as long as a run lasts.
//
// Owns the mount and the directory it is on, and removes both. Holds a flock(2) on the file system's top directory, by
// which others tell a living owner's mount from what a killed one left. Never removes a mount that is no tmpfs.
// Source: flock(2), statx(2) STATX_ATTR_MOUNT_ROOT, umount2(2).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "linux/mount_fd.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace nspawn {

class ScratchMount {
public:
    // On the directory `path`, which is there already and empty, and which is ours from now on. `attributes` are
    // MOUNT_ATTR_*. EEXIST when something is mounted there.
    static Result<ScratchMount> create(const std::string& path, std::span<const MountOption> options,
                                       uint64_t attributes);
    ScratchMount(ScratchMount&& other) noexcept;
    ScratchMount& operator=(ScratchMount&&) = delete;
    ~ScratchMount();

    // Nothing to do the second time.
    Result<void> remove();

private:
    explicit ScratchMount(std::string path) : path_(std::move(path)) {}

    std::string path_; // empty: nothing left to remove
    UniqueFd lock_;
    bool mounted_ = false;
};

// Removes what a dead run left at `path`, an absolute and normalized one. EBUSY while its owner lives.
Result<void> remove_leftover_mount(const std::string& path);

} // namespace nspawn
