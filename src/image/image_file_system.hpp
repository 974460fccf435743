// image_file_system.hpp — the file systems of disk images: how each is mounted, checked and grown.
//
// One mount at a time, detached; knows nothing of partitions. Options come from here, never from the image.
// Sources: the kernel's documentation of each file system, ioctl(2) of each for growing.
#pragma once

#include "linux/mount_fd.hpp"

#include <string>
#include <string_view>

namespace nspawn {

struct FileSystemRequest {
    std::string type;
    std::string device;
    bool read_only = false;
    bool boot = false; // a boot loader's partition: nobody's but root's, nothing in it is run
};

// ENODEV: the kernel does not know the type.
Result<MountFd> mount_image_file_system(const FileSystemRequest& request);

// One that has no way of being written.
bool is_read_only_file_system(std::string_view type);

// To the size of its device, where it is smaller. What cannot be grown stays as it is, with a warning.
void grow_file_system(const MountFd& mount, const std::string& type, const std::string& device);

bool is_empty_directory(int root, const char* path);
bool is_missing(int root, const char* path);

} // namespace nspawn
