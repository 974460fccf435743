// scratch_directory.hpp — a hidden directory ".#nspawn.NAME.<16 hex digits>" that lives as long as one run.
//
// Owns the directory and everything put into it, btrfs subvolumes included, and removes all of it when dropped. It is
// recorded before it is made (scratch_record.hpp) and locked with flock(2) as long as its owner lives, which also
// keeps systemd-tmpfiles(8) away from it. Its entries are named by this project only (kScratchEntries), so that a
// leftover can be told from a directory that somebody merely called like one. Never looks its own path up twice.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "image/scratch_record.hpp"

#include <string>
#include <string_view>

namespace nspawn {

class ScratchDirectory {
public:
    // Below `parent`, which is known to the user as `parent_path`.
    static Result<ScratchDirectory> create(UniqueFd parent, const std::string& parent_path, std::string_view label);

    ScratchDirectory() = default;
    ScratchDirectory(ScratchDirectory&& other) noexcept = default;
    ScratchDirectory& operator=(ScratchDirectory&&) = delete;
    ~ScratchDirectory();

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    UniqueFd parent_;
    UniqueFd fd_;
    std::string name_;
    std::string path_;
    ScratchRecord record_;
};

// Removes a directory of this kind whose owner is dead. EBUSY: its owner lives; ENOTSUP: it is not one of ours. A path
// that is gone is a success.
Result<void> remove_leftover_scratch(const std::string& path);

// Removes all of them in a directory; only where nobody but ourselves could have put them there. They are left when
// the machine went down, since records do not outlive it.
void sweep_leftover_scratch(int parent);

} // namespace nspawn
