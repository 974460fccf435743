// extended_attributes.hpp — the extended attributes of one file, whichever way it is held.
//
// Owns nothing: it borrows the descriptor. Never follows a symbolic link in the last component and never opens the
// file, so that a FIFO cannot block and a device is not touched. Source: xattr(7), listxattrat(2), path_resolution(7).
#pragma once

#include "base/result.hpp"

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <linux/limits.h>
#include <sys/types.h>

namespace nspawn {

class ExtendedAttributes {
public:
    // No list and no value is larger than this.
    static constexpr size_t kLargest = XATTR_SIZE_MAX;

    static ExtendedAttributes of_open_file(int fd); // open for reading or writing
    static ExtendedAttributes of_path_fd(int fd);   // opened with O_PATH
    static ExtendedAttributes of_entry(int directory, const char* name);

    // The names, each with its NUL behind it, in `buffer`; a file system without attributes has none.
    Result<std::string_view> list(std::span<char> buffer) const;
    // ENODATA: there is none of this name.
    Result<std::string_view> get(const char* name, std::span<char> buffer) const;
    Result<void> set(const char* name, std::string_view value) const;
    Result<void> remove(const char* name) const;

private:
    enum class Held { open_file, path_fd, entry };
    ExtendedAttributes(Held held, int fd, const char* name);
    ssize_t list_into(std::span<char> buffer) const;

    Held held_;
    int fd_;
    const char* name_;
    std::array<char, 32 + NAME_MAX + 1> path_; // for all but open files
};

// Calls visit(const char* name) for each name of a list.
template <typename Visit>
void for_each_attribute(std::string_view list, Visit visit) {
    while (!list.empty()) {
        const char* const name = list.data();
        list.remove_prefix(std::string_view(name).size() + 1);
        visit(name);
    }
}

} // namespace nspawn
