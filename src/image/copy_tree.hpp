// copy_tree.hpp — a directory tree once more, in every respect: contents, holes, hard links, owners, modes, times,
// access control lists, extended attributes, file capabilities, device nodes, FIFOs, sockets, symbolic links.
//
// Mounts in the source are left out: what they cover is copied. Flags as immutable are not, as in the original. Acts
// on descriptors: whoever renames what in the source meanwhile, nothing outside of it is read. The target is ours
// alone while it lasts. Two threads, since half of the time is spent on small files in file system code.
// Sources: systemd-nspawn(1) --template=, chattr(1), xattr(7), open_tree(2).
#pragma once

#include <string>

namespace nspawn {

enum class CopiedHow { contents, reflinks };

// `target` is an empty directory of ours that nobody else can enter. Its parent, `scratch`, is left out wherever it
// should come up in the source. The paths are for messages. Throws on the first thing that cannot be copied, and when
// a termination signal waits; the target is unfinished then.
CopiedHow copy_tree(int source, const std::string& source_path, int target, const std::string& target_path,
                    int scratch);

} // namespace nspawn
