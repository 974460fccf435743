// settings_place.hpp — a directory in which settings files are looked for, and how its files are opened.
//
// Owns the directory's descriptor and the rules for opening: never block on a FIFO, never open a device, never follow
// a link of an untrusted place out of that place (a file beside an image may be a link to /etc/shadow). Never
// interprets what it reads. Rules for untrusted places: docs/settings.md, "Trust".
#pragma once

#include "base/unique_fd.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

class SettingsPlace {
public:
    // nullopt: there is no such directory. Every other failure throws.
    static std::optional<SettingsPlace> open(const std::string& path, bool trusted);
    // The directory `name` in this one; as trusted as this one.
    [[nodiscard]] std::optional<SettingsPlace> open_below(const std::string& name) const;

    // Content of the file `name`; nullopt: there is no such entry. Throws one clear line for everything that is not a
    // readable regular file of bearable size. A link to /dev/null in a trusted place is an empty file ("masked").
    [[nodiscard]] std::optional<std::string> read(const std::string& name) const;
    // Names that end in `suffix` and do not start with a dot, sorted.
    [[nodiscard]] std::vector<std::string> names(std::string_view suffix) const;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] bool trusted() const { return trusted_; }

private:
    SettingsPlace(std::string path, UniqueFd directory, bool trusted)
        : path_(std::move(path)), directory_(std::move(directory)), trusted_(trusted) {}
    [[nodiscard]] std::optional<UniqueFd> open_entry(const std::string& name) const;

    std::string path_;
    UniqueFd directory_; // O_PATH
    bool trusted_ = false;
};

} // namespace nspawn
