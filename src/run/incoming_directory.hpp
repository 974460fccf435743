// incoming_directory.hpp — the host's directory that a container sees as /run/host/incoming (spec C.2): what is mounted
// below it on the host shows up in the container.
//
// Owns one empty directory, /run/systemd/nspawn/propagate/MACHINE, together with the other living runs of machines of
// this name, if there are any: the last of them removes it.
#pragma once

#include "image/path_claim.hpp"
#include "image/scratch_record.hpp"

#include <string>

namespace nspawn {

class IncomingDirectory {
public:
    IncomingDirectory() = default; // none
    IncomingDirectory(IncomingDirectory&& other) noexcept;
    IncomingDirectory& operator=(IncomingDirectory&& other) noexcept;
    // As remove(), whose failure nobody hears about.
    ~IncomingDirectory();

    // Recorded in `record` before it is made. A directory of that name that a dead run left is used.
    static IncomingDirectory make(const std::string& path, ScratchRecord& record);
    // An error when it is not empty; nothing happens when there is none, or while others use it.
    [[nodiscard]] Result<void> remove();

    // Of the machine of this name.
    static std::string path_of(const std::string& machine);

private:
    IncomingDirectory(std::string path, PathClaim claim) : path_(std::move(path)), claim_(std::move(claim)) {}
    std::string path_; // empty: none
    PathClaim claim_;
};

} // namespace nspawn
