// shifted_ids.hpp — the ids within a range of 65536, also where they stand in the value of an extended attribute.
//
// Works on bytes that were read from a (hostile) tree: what is not well-formed is left as it is. Never touches a file.
// Sources: user-namespace ranges of systemd's UIDS-GIDS document; acl(5) and <linux/posix_acl_xattr.h>;
// capabilities(7), "File capability extended attribute versioning", and <linux/capability.h>.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nspawn {

constexpr uint32_t kIdRange = 65536;

// The same id in the range that starts at `base`, a multiple of the range.
constexpr uint32_t shifted_id(uint32_t id, uint32_t base) { return base | (id & (kIdRange - 1)); }

// system.posix_acl_access and system.posix_acl_default: users and groups that are named.
std::string shifted_acl(std::string_view value, uint32_t base);

// security.capability: the user who is root where the capabilities hold. Those that hold everywhere (version 2) hold in
// the container alone afterwards, and the other way round for base 0.
std::string shifted_capability(std::string_view value, uint32_t base);

} // namespace nspawn
