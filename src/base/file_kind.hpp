// file_kind.hpp — what a file is, in words for messages. Source: inode(7).
#pragma once

#include <string_view>

#include <sys/stat.h>

namespace nspawn {

// "a FIFO", for the mode of a stat(2).
inline std::string_view kind_of_file(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "a regular file";
    case S_IFDIR:
        return "a directory";
    case S_IFLNK:
        return "a symbolic link";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    case S_IFCHR:
        return "a character device";
    case S_IFBLK:
        return "a block device";
    default:
        return "something unknown";
    }
}

} // namespace nspawn
