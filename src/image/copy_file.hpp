// copy_file.hpp — what is in a regular file, into an empty one, in the cheapest way that its file system has.
//
// Tries in this order: sharing the blocks (reflink), having the kernel copy them, reading and writing. Holes stay
// holes. Never changes owner, mode, times or attributes. Source: ioctl_ficlone(2), copy_file_range(2), lseek(2)
// SEEK_DATA.
#pragma once

#include "base/result.hpp"

#include <atomic>
#include <vector>

#include <sys/stat.h>

namespace nspawn {

// What was learned about the two file systems; shared by all threads of one copy.
struct CopyAbilities {
    std::atomic<bool> reflink = true;
    std::atomic<bool> copy_range = true;
};

// Holds a buffer: one for each thread.
class FileCopier {
public:
    explicit FileCopier(CopyAbilities& abilities) : abilities_(abilities) {}

    // `from` is at its beginning and of this status. EINTR: a termination signal waits.
    Result<void> copy(int from, const struct stat& status, int to);

private:
    bool try_reflink(int from, int to, Result<void>& failure);
    Result<void> copy_sparse(int from, off_t size, int to);
    Result<void> copy_range(int from, off_t start, off_t end, int to);
    Result<void> copy_by_hand(int from, off_t start, off_t end, int to);

    CopyAbilities& abilities_;
    std::vector<char> buffer_ = std::vector<char>(size_t{128} * 1024);
};

} // namespace nspawn
