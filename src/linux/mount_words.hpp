// mount_words.hpp — the words for what a single mount can be, whatever file system it shows: those that users write,
// and those that the kernel shows when a mount is read back.
//
// Tables alone. What concerns the file system behind a mount ("size=", "sync") is not in them. Sources: mount(8)
// "Filesystem-independent mount options", mount_setattr(2), statvfs(3), proc_pid_mountinfo(5).
#pragma once

#include <cstdint>
#include <string_view>

#include <linux/mount.h>
#include <sys/statvfs.h>

namespace nspawn {

struct MountWord {
    std::string_view word;
    uint64_t set;   // MOUNT_ATTR_*
    uint64_t clear; // MOUNT_ATTR_*
};

// nullptr: not a word of these.
const MountWord* find_mount_word(std::string_view word);

// What is to be set and cleared by mount_setattr(2) after all words; the later one holds.
struct MountChange {
    uint64_t set = 0;
    uint64_t clear = 0;

    void add(const MountWord& word);
};

struct MountFlagName {
    uint64_t attribute;        // one bit of MOUNT_ATTR_*
    unsigned long status_flag; // of statvfs(3); 0: cannot be read back
    const char* word;          // in mountinfo
};

inline constexpr MountFlagName kMountFlagNames[] = {
    {MOUNT_ATTR_RDONLY, ST_RDONLY, "ro"},
    {MOUNT_ATTR_NOSUID, ST_NOSUID, "nosuid"},
    {MOUNT_ATTR_NODEV, ST_NODEV, "nodev"},
    {MOUNT_ATTR_NOEXEC, ST_NOEXEC, "noexec"},
    {MOUNT_ATTR_NOSYMFOLLOW, 1 << 13, "nosymfollow"}, // the kernel's ST_NOSYMFOLLOW
    {MOUNT_ATTR_STRICTATIME, 0, "strictatime"},
    {MOUNT_ATTR_NOATIME, ST_NOATIME, "noatime"},
    {MOUNT_ATTR_NODIRATIME, ST_NODIRATIME, "nodiratime"},
};

} // namespace nspawn
