#include "plan/tmpfs_options.hpp"

#include "base/text.hpp"
#include "linux/mount_words.hpp"

#include <linux/mount.h>

namespace nspawn {

TmpfsOptions split_tmpfs_options(std::string_view text) {
    TmpfsOptions result{{}, MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME};
    for (const std::string_view word : split_any(text, ",")) {
        if (const MountWord* const known = find_mount_word(word)) {
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
