#include "plan/tmpfs_options.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <iterator>

#include <linux/mount.h>

namespace nspawn {

namespace {

constexpr struct {
    std::string_view word;
    uint64_t set;
    uint64_t clear;
} kMountWords[] = {
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
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
};

} // namespace

TmpfsOptions split_tmpfs_options(std::string_view text) {
    TmpfsOptions result{{}, MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME};
    for (const std::string_view word : split_any(text, ",")) {
        const auto* const known = std::find_if(std::begin(kMountWords), std::end(kMountWords),
                                               [&](const auto& entry) { return entry.word == word; });
        if (known != std::end(kMountWords)) {
            result.attributes = (result.attributes & ~known->clear) | known->set;
            continue;
        }
        const size_t equals = word.find('=');
        const std::string_view value = equals == std::string_view::npos ? "" : word.substr(equals + 1);
        result.options.push_back({std::string(word.substr(0, equals)), std::string(value)});
    }
    return result;
}

} // namespace nspawn
