// incoming_directory.hpp — the host's directory that a container sees as /run/host/incoming (spec C.2): what is mounted
// below it on the host shows up in the container.
//
// Owns one empty directory, /run/systemd/nspawn/propagate/MACHINE. Between runs one such directory is kept in
// /run/nspawn: taking it and giving it back is a rename each, while on a /run that lies on a disk making and removing
// one takes a third of a millisecond (the block that it occupies is discarded at once, and waited for).
#pragma once

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
    // An error when it is not empty; nothing happens when there is none.
    [[nodiscard]] Result<void> remove();

    // Of the machine of this name.
    static std::string path_of(const std::string& machine);

private:
    explicit IncomingDirectory(std::string path) : path_(std::move(path)) {}
    std::string path_; // empty: none
};

} // namespace nspawn
