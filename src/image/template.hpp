// template.hpp — a machine's tree that is made from another one because it is not there yet (--template=).
//
// Decides how: a btrfs subvolume by a snapshot with the subvolumes nested in it, anything else by a copy that shares
// the files' blocks where the file system can. Made in a hidden directory beside its place and renamed at the end, so
// that nothing of an interrupted one is ever taken for a tree: a failed one is removed at once, a killed one by the
// next run. Changes nothing in the copy: host name and machine id are the template's. Never locks the template.
// Source: systemd-nspawn(1) --template=.
#pragma once

#include "base/unique_fd.hpp"

#include <string>

namespace nspawn {

// Where the tree is to be.
struct MissingTree {
    UniqueFd parent; // open for reading
    std::string name;
    std::string path; // of both, for messages
};

// The directory in which what --directory= names is missing; throws where there is none, or where a tree cannot come
// from this template. `given` is what was asked for, `source` the open template, known as `source_path`.
MissingTree find_place_for(const std::string& given, int source, const std::string& source_path);

struct TreeFromTemplate {
    UniqueFd directory;      // open for reading
    std::string description; // "btrfs snapshot", …; empty: it was there by now
};

// SIGINT and its like stop it; they do what they do after everything was taken away again.
TreeFromTemplate make_from_template(int source, const std::string& source_path, const MissingTree& place);

} // namespace nspawn
