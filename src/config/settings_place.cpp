#include "config/settings_place.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/file_kind.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "config/settings_syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace nspawn {

namespace {

constexpr size_t kNameCountLimit = 1000;

[[noreturn]] void refuse(const std::string& path, std::string_view reason) {
    throw Error(fmt::format("settings file {}: {}", printable(path), reason),
                "Repair or remove it, or start with --settings=no.");
}

struct stat status_of(int fd, const std::string& path) {
    struct stat status {};
    if (fstat(fd, &status) < 0) {
        refuse(path, error_text(errno));
    }
    return status;
}

bool is_null_device(const struct stat& status) { return S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3); }

struct CloseDirectory {
    void operator()(DIR* directory) const { closedir(directory); }
};

} // namespace

std::optional<SettingsPlace> SettingsPlace::open(const std::string& path, bool trusted) {
    Result<UniqueFd> directory = open_at(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY);
    if (directory.error() == ENOENT) {
        return std::nullopt;
    }
    if (!directory.ok()) {
        refuse(path, error_text(directory.error()));
    }
    return SettingsPlace(path, std::move(directory).value(), trusted);
}

std::optional<SettingsPlace> SettingsPlace::open_below(const std::string& name) const {
    std::optional<UniqueFd> directory = open_entry(name);
    if (!directory) {
        return std::nullopt;
    }
    std::string path = join(path_, name);
    if (!S_ISDIR(status_of(directory->get(), path).st_mode)) {
        refuse(path, "not a directory");
    }
    return SettingsPlace(std::move(path), std::move(*directory), trusted_);
}

// An O_PATH descriptor: opening a FIFO for real would wait for a writer, and opening a device may act on it.
std::optional<UniqueFd> SettingsPlace::open_entry(const std::string& name) const {
    // A link that leads nowhere is a mistake, or a trick to make us fall back to a less trusted place; only a name
    // that is not there at all counts as absent.
    const Result<UniqueFd> entry = open_at(directory_.get(), name.c_str(), O_PATH | O_NOFOLLOW);
    if (entry.error() == ENOENT) {
        return std::nullopt;
    }
    Result<UniqueFd> target = trusted_ ? open_at(directory_.get(), name.c_str(), O_PATH)
                                       : open_in_root(directory_.get(), name.c_str(), O_PATH);
    if (target.ok()) {
        return std::move(target).value();
    }
    const std::string path = join(path_, name);
    if (target.error() == ELOOP) {
        refuse(path, "its symbolic links form a loop");
    }
    if (target.error() == ENOENT && entry.ok()) {
        refuse(path, trusted_ ? std::string("a symbolic link that leads nowhere")
                              : fmt::format("a symbolic link that leads nowhere inside {}; it is untrusted and may not "
                                            "leave that directory",
                                            printable(path_)));
    }
    refuse(path, error_text(target.error()));
}

std::optional<std::string> SettingsPlace::read(const std::string& name) const {
    const std::optional<UniqueFd> entry = open_entry(name);
    if (!entry) {
        return std::nullopt;
    }
    const std::string path = join(path_, name);
    const struct stat status = status_of(entry->get(), path);
    if (trusted_ && is_null_device(status)) {
        return std::string();
    }
    if (!S_ISREG(status.st_mode)) {
        refuse(path, fmt::format("{}, not a regular file", kind_of_file(status.st_mode)));
    }
    const Result<UniqueFd> file = reopen(entry->get(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file.ok()) {
        refuse(path, error_text(file.error()));
    }
    Result<std::string> content = read_all(file.value().get(), kSettingsSizeLimit);
    if (content.error() == EFBIG) {
        refuse(path, "larger than 1 MiB, this is no settings file");
    }
    if (!content.ok()) {
        refuse(path, error_text(content.error()));
    }
    return std::move(content).value();
}

std::vector<std::string> SettingsPlace::names(std::string_view suffix) const {
    Result<UniqueFd> readable = reopen(directory_.get(), O_RDONLY | O_DIRECTORY);
    if (!readable.ok()) {
        refuse(path_, error_text(readable.error()));
    }
    const std::unique_ptr<DIR, CloseDirectory> stream(fdopendir(readable.value().get()));
    if (stream == nullptr) {
        refuse(path_, error_text(errno));
    }
    [[maybe_unused]] const int owned_by_stream = readable.value().release();
    std::vector<std::string> names;
    for (errno = 0; const dirent* entry = readdir(stream.get()); errno = 0) {
        const std::string_view name = entry->d_name;
        if (name.starts_with('.') || !name.ends_with(suffix)) {
            continue;
        }
        if (names.size() == kNameCountLimit) {
            refuse(path_, fmt::format("more than {} files", kNameCountLimit));
        }
        names.emplace_back(name);
    }
    if (errno != 0) {
        refuse(path_, error_text(errno));
    }
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace nspawn
