#include "image/empty_directory.hpp"

#include "base/file.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr size_t kMaxOpenLevels = 24;

Result<UniqueFd> open_child_directory(int parent, const char* name) {
    return open_beneath(parent, name, O_RDONLY | O_DIRECTORY);
}

// A directory that lacks the owner's permission bits stops everybody but the almighty root.
Result<UniqueFd> open_forbidden_directory(int parent, const char* name) {
    Result<UniqueFd> opened = open_child_directory(parent, name);
    if (opened.error() != EACCES) {
        return opened;
    }
    if (fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) < 0) {
        return last_error("fchmodat");
    }
    return open_child_directory(parent, name);
}

// True when a flag was in the way and is off now.
bool take_flags_off(int fd) {
    int flags = 0;
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) == 0) {
        return false;
    }
    flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
    return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

// Only regular files and directories carry such flags, and only they can be opened without side effects.
bool take_flags_off_entry(int parent, const char* name) {
    struct stat status {};
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) {
        return false;
    }
    const Result<UniqueFd> entry = open_at(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    return entry.ok() && take_flags_off(entry.value().get());
}

int unlink_once(int parent, const char* name, int kind) {
    return unlinkat(parent, name, kind) == 0 || errno == ENOENT ? 0 : errno;
}

// Answers 0 or an errno. `directory` is part of what is being removed, so it may be changed as needed.
int force_unlink(int directory, const char* name, int kind) {
    const int refused = unlink_once(directory, name, kind);
    if (refused != EPERM && refused != EACCES) {
        return refused;
    }
    bool retry = take_flags_off_entry(directory, name);
    retry = take_flags_off(directory) || retry;
    retry = (refused == EACCES && fchmod(directory, 0700) == 0) || retry;
    return retry ? unlink_once(directory, name, kind) : refused;
}

bool has_entries(int error) { return error == ENOTEMPTY || error == EEXIST; }

// One directory on the way down, read piece by piece.
class Level {
public:
    Level(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const std::string& name() const { return name_; }

    // The next entry other than "." and ".."; null at the end. `error` is set when reading fails.
    const dirent64* next(int& error) {
        for (;;) {
            if (position_ == filled_) {
                const ssize_t got = getdents64(fd_.get(), buffer_.data(), buffer_.size());
                if (got <= 0) {
                    error = got < 0 ? errno : 0;
                    return nullptr;
                }
                position_ = 0;
                filled_ = static_cast<size_t>(got);
            }
            const auto* entry = reinterpret_cast<const dirent64*>(buffer_.data() + position_);
            position_ += entry->d_reclen;
            if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) {
                return entry;
            }
        }
    }
    // File systems may skip entries while others are being removed; another pass tells. Pointless when the last pass
    // removed nothing.
    bool start_over() {
        position_ = filled_ = 0;
        return std::exchange(removed_something_, false) && lseek(fd_.get(), 0, SEEK_SET) == 0;
    }
    void note_removal() { removed_something_ = true; }

private:
    UniqueFd fd_;
    std::string name_;
    size_t position_ = 0;
    size_t filled_ = 0;
    bool removed_something_ = false;
    alignas(dirent64) std::array<char, 8192> buffer_{};
};

class Remover {
public:
    // Empties the directory, and leaves it.
    Result<void> run(UniqueFd top) {
        levels_.push_back(std::make_unique<Level>(std::move(top), ""));
        while (!levels_.empty()) {
            work_on_deepest();
        }
        if (first_error_) {
            return *first_error_;
        }
        return {};
    }

private:
    void note(int error, const char* call) {
        if (!first_error_) {
            first_error_ = SystemError{error, call};
        }
    }

    void descend(int parent, const char* name) {
        Result<UniqueFd> directory = open_forbidden_directory(parent, name);
        if (!directory.ok()) {
            note(directory.error(), "openat2");
            return;
        }
        levels_.push_back(std::make_unique<Level>(std::move(directory).value(), name));
    }

    // Too deep: hang it below the top directory, which is read again later.
    void move_up(Level& level, const char* name) {
        int error = EEXIST;
        while (has_entries(error)) { // a name that an interrupted run left
            const std::string elsewhere = fmt::format("{}{}", kMovedUpPrefix, moved_++);
            error = renameat(level.fd(), name, levels_.front()->fd(), elsewhere.c_str()) == 0 ? 0 : errno;
        }
        if (error != 0) {
            note(error, "renameat");
            return;
        }
        level.note_removal();
        levels_.front()->note_removal();
    }

    void remove_entry(Level& level, const char* name, bool is_directory) {
        int error = force_unlink(level.fd(), name, is_directory ? AT_REMOVEDIR : 0);
        if (error == EISDIR) { // the file system did not tell the type
            error = force_unlink(level.fd(), name, AT_REMOVEDIR);
        }
        if (error == 0) {
            level.note_removal();
        } else if (!has_entries(error)) {
            note(error, "unlinkat");
        } else if (levels_.size() < kMaxOpenLevels) {
            descend(level.fd(), name);
        } else {
            move_up(level, name);
        }
    }

    void work_on_deepest() {
        Level& level = *levels_.back();
        int error = 0;
        if (const dirent64* entry = level.next(error)) {
            const std::string name = entry->d_name;
            remove_entry(level, name.c_str(), entry->d_type == DT_DIR);
            return;
        }
        if (error != 0) {
            note(error, "getdents64");
        }
        if (levels_.size() == 1) {
            if (level.start_over()) {
                first_error_.reset(); // what still holds will be met again
            } else {
                levels_.pop_back();
            }
            return;
        }
        Level& parent = *levels_[levels_.size() - 2];
        const int refused = force_unlink(parent.fd(), level.name().c_str(), AT_REMOVEDIR);
        if (has_entries(refused) && level.start_over()) {
            return;
        }
        if (refused != 0) {
            note(refused, "unlinkat");
        } else {
            parent.note_removal();
        }
        levels_.pop_back();
    }

    std::vector<std::unique_ptr<Level>> levels_;
    unsigned long moved_ = 0;
    std::optional<SystemError> first_error_;
};

} // namespace

Result<void> empty_directory(int directory) {
    Result<UniqueFd> own = open_at(directory, ".", O_RDONLY | O_DIRECTORY); // a reading position of its own
    if (!own.ok()) {
        return own.system_error();
    }
    return Remover().run(std::move(own).value());
}

} // namespace nspawn
