// directory.hpp — the names in a directory, in as few system calls as the kernel allows: getdents64(2) into the stack.
//
// Owns nothing and keeps nothing: it reads on from where the descriptor stands, so give it one of its own (fdopendir(3)
// asks the kernel four more questions and takes 32 KiB of heap, in a process that wants to stay small).
#pragma once

#include "base/result.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#include <dirent.h>

namespace nspawn {

// Calls visit(const dirent64&) for each entry but "." and "..", in the kernel's order, until it returns false.
// The entry lives as long as the call. Entries that are removed meanwhile may or may not be seen.
template <size_t kBufferSize = 4096, typename Visit>
Result<void> for_each_entry(int directory, Visit visit) {
    alignas(dirent64) std::array<char, kBufferSize> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
    for (;;) {
        const ssize_t got = ::getdents64(directory, buffer.data(), buffer.size());
        if (got <= 0) {
            return got == 0 ? Result<void>() : last_error("getdents64");
        }
        for (ssize_t at = 0; at < got;) {
            const auto& entry = *reinterpret_cast<const dirent64*>(buffer.data() + at);
            at += entry.d_reclen;
            if (std::strcmp(entry.d_name, ".") != 0 && std::strcmp(entry.d_name, "..") != 0 && !visit(entry)) {
                return {};
            }
        }
    }
}

} // namespace nspawn
