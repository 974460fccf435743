// bind_map.hpp — the id map of the mount behind a bind: who owns the source's files in the container.
//
// Pure. A mount's id map goes from the ids on disk to those of the host; the container's own map then makes container
// ids of these. Sources: systemd-nspawn(1) --bind= (idmap, rootidmap, owneridmap), mount_setattr(2) MOUNT_ATTR_IDMAP,
// kernel documentation filesystems/idmappings.
#pragma once

#include "config/custom_mount.hpp"
#include "linux/id_map.hpp"

#include <optional>

namespace nspawn {

struct Owner {
    uint32_t user = 0;
    uint32_t group = 0;
};

// `container`: the container's map; empty: its ids are the host's. `source`: as on disk; `destination`: in the
// container's ids. Empty: the mount needs no map. Throws when an id has no place in the container.
IdMap bind_id_map(const CustomMount& mount, const IdMap& container, const Owner& source, const Owner& destination);

} // namespace nspawn
