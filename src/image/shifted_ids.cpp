#include "image/shifted_ids.hpp"

#include <cstddef>
#include <cstring>

#include <endian.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

namespace nspawn {

namespace {

// Both kinds of value are little-endian whatever the machine.
uint32_t read_le32(std::string_view bytes, size_t at) {
    uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return le32toh(value);
}

uint16_t read_le16(std::string_view bytes, size_t at) {
    uint16_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return le16toh(value);
}

void write_le32(std::string& bytes, size_t at, uint32_t value) {
    const uint32_t little = htole32(value);
    std::memcpy(bytes.data() + at, &little, sizeof little);
}

} // namespace

std::string shifted_acl(std::string_view value, uint32_t base) {
    std::string result(value);
    constexpr size_t kHeader = sizeof(posix_acl_xattr_header);
    constexpr size_t kEntry = sizeof(posix_acl_xattr_entry);
    if (value.size() < kHeader || (value.size() - kHeader) % kEntry != 0 ||
        read_le32(value, 0) != POSIX_ACL_XATTR_VERSION) {
        return result;
    }
    for (size_t at = kHeader; at < value.size(); at += kEntry) {
        const uint16_t tag = read_le16(value, at + offsetof(posix_acl_xattr_entry, e_tag));
        if (tag == ACL_USER || tag == ACL_GROUP) { // of all others the id means nothing
            const size_t id = at + offsetof(posix_acl_xattr_entry, e_id);
            write_le32(result, id, shifted_id(read_le32(value, id), base));
        }
    }
    return result;
}

std::string shifted_capability(std::string_view value, uint32_t base) {
    std::string result(value);
    constexpr size_t kRootId = offsetof(vfs_ns_cap_data, rootid);
    if (value.size() != XATTR_CAPS_SZ_2 && value.size() != XATTR_CAPS_SZ_3) {
        return result;
    }
    const uint32_t magic = read_le32(value, 0);
    const uint32_t revision = magic & VFS_CAP_REVISION_MASK;
    const bool namespaced = value.size() == XATTR_CAPS_SZ_3;
    if (revision != (namespaced ? VFS_CAP_REVISION_3 : VFS_CAP_REVISION_2)) {
        return result;
    }
    const uint32_t root = shifted_id(namespaced ? read_le32(value, kRootId) : 0, base);
    result.resize(root == 0 ? XATTR_CAPS_SZ_2 : XATTR_CAPS_SZ_3);
    write_le32(result, 0, (magic & VFS_CAP_FLAGS_MASK) | (root == 0 ? VFS_CAP_REVISION_2 : VFS_CAP_REVISION_3));
    if (root != 0) {
        write_le32(result, kRootId, root);
    }
    return result;
}

} // namespace nspawn
