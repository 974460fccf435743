// tree_lock.hpp — keeps two containers from using one tree, also one of ours and one of systemd-nspawn's.
//
// Holds two open file description locks (fcntl(2), F_OFD_SETLK) on files as systemd-nspawn names them:
// DIR/.#NAME.lck beside the tree or image and /run/systemd/nspawn/locks/inode-DEV:INO; for a block device only
// /run/systemd/nspawn/locks/block-MAJOR:MINOR. The second decides, since it holds for
// every path that leads to the tree; the first also works where /run is not shared, and is done without where the
// directory cannot be written. Never waits. The last holder removes the files.
#pragma once

#include "base/unique_fd.hpp"

#include <string>

namespace nspawn {

class TreeLock {
public:
    enum class Mode { shared, exclusive };

    // `tree` is the open directory or image, `path` where it is. Throws when it is in use ("… is currently busy").
    static TreeLock acquire(int tree, const std::string& path, Mode mode);

    TreeLock() = default;
    TreeLock(TreeLock&&) noexcept = default;
    TreeLock& operator=(TreeLock&&) = delete;
    // As remove_files(), and unlocks.
    ~TreeLock();

    // The files go, by whoever is the last to hold the lock; it is held on until the destructor or the process's end.
    void remove_files();

private:
    struct File {
        UniqueFd fd;      // invalid: not held
        std::string path; // empty: removed, or not ours to remove
    };
    static void release(File& file, Mode mode);

    File local_;
    File global_;
    Mode mode_ = Mode::shared;
};

} // namespace nspawn
