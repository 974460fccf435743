#include "linux/mount_words.hpp"

#include <algorithm>
#include <iterator>

#include <linux/mount.h>

namespace nspawn {

namespace {

constexpr MountWord kMountWords[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
};

} // namespace

const MountWord* find_mount_word(std::string_view word) {
    const auto* const known = std::find_if(std::begin(kMountWords), std::end(kMountWords),
                                           [&](const MountWord& entry) { return entry.word == word; });
    return known == std::end(kMountWords) ? nullptr : known;
}

void MountChange::add(const MountWord& word) {
    set = (set & ~word.clear) | word.set;
    // The kernel wants the whole field of access times cleared where one of them is set.
    clear = (clear | word.clear) & ~(word.set & ~uint64_t{MOUNT_ATTR__ATIME});
}

} // namespace nspawn
