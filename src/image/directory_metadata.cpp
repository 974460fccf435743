#include "image/directory_metadata.hpp"

#include "base/error.hpp"
#include "base/log.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>
#include <sys/xattr.h>

namespace nspawn {

namespace {

constexpr size_t kMaxAttributes = size_t{64} * 1024; // XATTR_LIST_MAX and XATTR_SIZE_MAX

std::vector<std::string> attribute_names(int fd) {
    const ssize_t size = flistxattr(fd, nullptr, 0);
    if (size <= 0) {
        return {};
    }
    std::string list(kMaxAttributes, '\0');
    const ssize_t got = flistxattr(fd, list.data(), list.size());
    std::vector<std::string> names;
    for (size_t position = 0; got > 0 && position < static_cast<size_t>(got);) {
        names.emplace_back(list.c_str() + position);
        position += names.back().size() + 1;
    }
    return names;
}

void note_failure(const char* what, std::string_view name) {
    log::debug("copying the looks of a directory: {} {}: {}", what, name, error_text(errno));
}

void copy_attribute(int from, int to, const std::string& name) {
    if (name.starts_with("trusted.overlay.")) {
        return; // says something about the layer that it was made in
    }
    std::string value(kMaxAttributes, '\0');
    const ssize_t size = fgetxattr(from, name.c_str(), value.data(), value.size());
    if (size < 0 || fsetxattr(to, name.c_str(), value.data(), static_cast<size_t>(size), 0) < 0) {
        note_failure("xattr", name);
    }
}

} // namespace

void copy_directory_metadata(int from, int to) {
    struct stat status {};
    if (fstat(from, &status) < 0) {
        note_failure("fstat", "");
        return;
    }
    // A default ACL of the place that `to` was made in would be inherited by everything made below it.
    for (const std::string& name : attribute_names(to)) {
        if (name.starts_with("system.posix_acl_") && fremovexattr(to, name.c_str()) < 0) {
            note_failure("removing", name);
        }
    }
    if (fchown(to, status.st_uid, status.st_gid) < 0) {
        note_failure("fchown", "");
    }
    if (fchmod(to, status.st_mode & 07777) < 0) {
        note_failure("fchmod", "");
    }
    for (const std::string& name : attribute_names(from)) {
        copy_attribute(from, to, name);
    }
    const timespec times[] = {status.st_atim, status.st_mtim};
    if (futimens(to, times) < 0) {
        note_failure("futimens", "");
    }
}

} // namespace nspawn
