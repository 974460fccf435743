// shift_ownership.hpp — gives a whole tree to the users of one id range, or back to the host's own (base 0).
//
// Every file's owner and group become `base | (id & 0xffff)`, also in access control lists and in file capabilities;
// set-user-id bits and capabilities, which the kernel takes off with every change of owner, are put back. Times of
// change apart, doing it twice is doing it once. The tree's top directory carries a mark while it lasts and gets its
// own owner last: where that one fits nothing is to be done, and an interrupted run is taken up by the next.
// Acts on descriptors of directories, and on a name below them only in ways that never follow a link: never leaves the
// tree, whoever renames what in it meanwhile, and never enters what is mounted in it.
// Sources: spec C.11; chown(2), xattr(7); the mark is systemd's, UIDS-GIDS document.
#pragma once

#include <cstdint>
#include <string>

namespace nspawn {

// `tree` is the top directory (O_PATH and detached mounts too), `path` its name in messages. `base` is a multiple of
// 65536. Throws on the first file that cannot be given away, and when a termination signal waits to be handled.
void shift_ownership(int tree, const std::string& path, uint32_t base);

} // namespace nspawn
