// os_tree_check.hpp — is this directory an operating system's tree, and has it the directories that mounts go onto?
//
// Reads the top directory once. Makes missing top-level directories and links (spec C.1) by their plain names in the
// tree's own descriptor, so that no link can lead them elsewhere; never touches what is there. Never reads a file.
// Sources: file-hierarchy(7), systemd-nspawn(1) on os-release and $SYSTEMD_NSPAWN_CHECK_OS_RELEASE.
#pragma once

#include <string>
#include <vector>

namespace nspawn {

// What the top directory of a tree has of the names that matter.
class TopLevel {
public:
    // `tree` is open for reading, or a detached mount. Throws when it cannot be read.
    explicit TopLevel(int tree);

    [[nodiscard]] bool has(std::string_view name) const;

private:
    friend void make_base_directories(int tree, const TopLevel& top);
    unsigned present_ = 0; // bit N: kBaseEntries[N]
};

// Throws unless the tree can be used: it needs a usr directory, and to be booted an os-release file. What is mounted on
// `mount_points` later may bring them.
void check_os_tree(int tree, const TopLevel& top, const std::string& path, bool boot,
                   const std::vector<std::string>& mount_points = {});

// On a read-only file system this does nothing.
void make_base_directories(int tree, const TopLevel& top);

} // namespace nspawn
