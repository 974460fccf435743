// hard_links.hpp — remembers which files with several names were copied, so that the copy has as many names.
//
// Safe for several threads: a file is made under the same lock under which it is looked for. Paths may be longer than
// the kernel takes at once.
#pragma once

#include "base/result.hpp"

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include <sys/types.h>

namespace nspawn {

class HardLinks {
public:
    using Inode = std::pair<dev_t, ino_t>; // of the source

    // Gives the copy of `inode` one more name, or calls make() and remembers `path`, where it made that copy: below
    // `top`, as `name` in `directory`. Where a copy cannot have so many names, it gets another one.
    template <typename Make>
    Result<void> link_or_make(const Inode& inode, int top, const std::string& path, int directory, const char* name,
                              Make make) {
        const std::lock_guard lock(mutex_);
        if (const auto known = made_.find(inode); known != made_.end()) {
            const Result<void> linked = link(top, known->second, directory, name);
            if (linked.error() != EMLINK) {
                return linked;
            }
        }
        make();
        made_[inode] = path;
        return {};
    }

private:
    static Result<void> link(int top, const std::string& path, int directory, const char* name);

    std::mutex mutex_;
    std::map<Inode, std::string> made_;
};

} // namespace nspawn
