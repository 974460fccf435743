#include "image/shift_ownership.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "image/shifted_ids.hpp"
#include "linux/extended_attributes.hpp"
#include "linux/termination.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace nspawn {

namespace {

constexpr uint32_t kBusyBase = 0xfffe0000; // on the top directory: a shift has begun and not ended
constexpr size_t kListBuffer = size_t{64} * 1024;
constexpr const char* kAccessAcl = "system.posix_acl_access";
constexpr const char* kDefaultAcl = "system.posix_acl_default";
constexpr const char* kCapability = "security.capability";
// What a change of owner takes off and a killed run could not put back.
constexpr const char* kKeepsake = "trusted.nspawn.shift";
constexpr mode_t kLostBits = S_ISUID | S_ISGID;

struct Keepsake {
    uint32_t mode = 0;
    std::string capability; // as it was

    [[nodiscard]] bool empty() const { return mode == 0 && capability.empty(); }
    [[nodiscard]] std::string text() const {
        return std::string(reinterpret_cast<const char*>(&mode), sizeof mode) + capability;
    }
    void add(std::string_view text) {
        uint32_t bits = 0;
        if (text.size() >= sizeof bits) {
            std::memcpy(&bits, text.data(), sizeof bits);
            mode |= bits & kLostBits;
            capability = text.substr(sizeof bits);
        }
    }
};

struct OpenDirectory {
    UniqueFd fd;
};

// A directory that was seen. What holds it stays open as long as it is to be visited, so that depth costs a descriptor
// only where something waits on every level.
struct Pending {
    std::shared_ptr<OpenDirectory> parent;
    std::string name;
};

Result<UniqueFd> open_within(int directory, const char* name, int flags) {
    open_how how{};
    how.flags = static_cast<uint64_t>(flags) | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_BENEATH;
    const long fd = syscall(SYS_openat2, directory, name, &how, sizeof how);
    if (fd < 0) {
        return last_error("openat2");
    }
    return UniqueFd(static_cast<int>(fd));
}

// Gone, or exchanged for something else since it was listed; or a mount.
bool is_not_ours(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EXDEV; }

// Where a descriptor's file is in the tree that the user knows as `tree_path`.
std::string path_of(const std::string& tree_path, int directory, const char* name) {
    std::array<char, PATH_MAX> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlink
    const ssize_t size = readlink(fmt::format("/proc/self/fd/{}", directory).c_str(), buffer.data(), buffer.size());
    std::string path(buffer.data(), size > 0 ? static_cast<size_t>(size) : 0);
    if (!is_within(path, tree_path)) { // in a detached mount
        path = join(tree_path, path);
    }
    return simplified(*name != '\0' ? join(path, name) : path);
}

const char* hint_for(int code) {
    switch (code) {
    case EROFS:
        return "Make it writable, or have the kernel map the owners: --private-users-ownership=map.";
    case EPERM:
        return "Is it immutable or append-only (lsattr)?";
    case EINVAL:
        return "Inside another container only the ids that it was given can be used.";
    case EMFILE:
        return "Too many levels of directories are open at once: raise ulimit -n.";
    default:
        return "";
    }
}

class Shifter {
public:
    Shifter(const std::string& path, uint32_t base) : path_(path), base_(base) {}

    void run(int tree) {
        const UniqueFd top = open_at(tree, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW).or_throw(printable(path_));
        struct stat status {};
        check(fstat(top.get(), &status), "fstat").or_throw(printable(path_));
        if (is_right(status.st_uid, status.st_gid)) {
            return;
        }
        change_owner(top.get(), "", kBusyBase | (status.st_uid & (kIdRange - 1)), status.st_gid);
        visit(top.get());
        while (!pending_.empty()) {
            const Pending next = std::move(pending_.back());
            pending_.pop_back();
            descend(next);
        }
        shift_attributes(ExtendedAttributes::of_open_file(top.get()), top.get());
        change_owner(top.get(), "", shifted(status.st_uid), shifted(status.st_gid));
    }

private:
    [[nodiscard]] uint32_t shifted(uint32_t id) const { return shifted_id(id, base_); }
    [[nodiscard]] bool is_right(uid_t uid, gid_t gid) const { return shifted(uid) == uid && shifted(gid) == gid; }

    [[noreturn]] void fail(SystemError error, int directory, const char* name) const {
        throw Error(fmt::format("cannot change the owner of {}: {}: {}", printable(path_of(path_, directory, name)),
                                error.call, error_text(error.code)),
                    hint_for(error.code))
            .with_code(error.code);
    }

    void change_owner(int directory, const char* name, uid_t uid, gid_t gid) const {
        if (fchownat(directory, name, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0 && errno != ENOENT) {
            fail(last_error("fchownat"), directory, name);
        }
    }

    void descend(const Pending& next) {
        Result<UniqueFd> opened = open_within(next.parent->fd.get(), next.name.c_str(), O_RDONLY | O_DIRECTORY);
        if (!opened.ok()) {
            if (!is_not_ours(opened.error())) {
                fail(opened.system_error(), next.parent->fd.get(), next.name.c_str());
            }
            return;
        }
        auto directory = std::make_shared<OpenDirectory>(OpenDirectory{std::move(opened).value()});
        const int fd = directory->fd.get();
        struct stat status {};
        check(fstat(fd, &status), "fstat").or_throw(printable(path_));
        if (!is_right(status.st_uid, status.st_gid)) {
            change_owner(fd, "", shifted(status.st_uid), shifted(status.st_gid));
        }
        shift_attributes(ExtendedAttributes::of_open_file(fd), fd);
        visit(directory);
    }

    void visit(int top) {
        visit(std::make_shared<OpenDirectory>(OpenDirectory{duplicate(top).or_throw(printable(path_))}));
    }

    void visit(const std::shared_ptr<OpenDirectory>& directory) {
        if (is_termination_requested()) {
            throw Error(fmt::format("interrupted while changing the owners of {}", printable(path_)),
                        "The next start goes on where this one stopped.");
        }
        const int fd = directory->fd.get();
        const Result<void> listed = for_each_entry<kListBuffer>(fd, [&](const dirent64& entry) {
            if (entry.d_type == DT_DIR || (entry.d_type == DT_UNKNOWN && is_directory(fd, entry.d_name))) {
                pending_.push_back({directory, entry.d_name});
            } else {
                shift_entry(fd, entry.d_name);
            }
            return true;
        });
        if (!listed.ok()) {
            fail(listed.system_error(), fd, "");
        }
    }

    static bool is_directory(int directory, const char* name) {
        struct stat status {};
        return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0 && S_ISDIR(status.st_mode);
    }

    // The many files that have nothing but an owner are changed by name, in as few calls as chown(1) needs. One that
    // was exchanged for another meanwhile gets the other's owner within the range, and the kernel takes its bits off.
    void shift_entry(int directory, const char* name) {
        struct statx status {};
        if (statx(directory, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                  STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID, &status) < 0) {
            if (!is_not_ours(errno)) {
                fail(last_error("statx"), directory, name);
            }
            return;
        }
        if ((status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0 || S_ISDIR(status.stx_mode)) {
            return;
        }
        if (!S_ISLNK(status.stx_mode) &&
            ((status.stx_mode & kLostBits) != 0 || has_attributes_of_ours(directory, name))) {
            shift_precious(directory, name);
        } else if (!is_right(status.stx_uid, status.stx_gid)) {
            change_owner(directory, name, shifted(status.stx_uid), shifted(status.stx_gid));
        }
    }

    bool has_attributes_of_ours(int directory, const char* name) {
        const Result<std::string_view> names = ExtendedAttributes::of_entry(directory, name).list(list_);
        if (!names.ok()) {
            if (!is_not_ours(names.error())) {
                fail(names.system_error(), directory, name);
            }
            return false;
        }
        bool found = false;
        for_each_attribute(names.value(), [&](std::string_view attribute) {
            found = found || attribute == kAccessAcl || attribute == kCapability || attribute == kKeepsake;
        });
        return found;
    }

    // A file that has more to lose than its owner: looked at, changed and mended by one descriptor.
    void shift_precious(int directory, const char* name) {
        const Result<UniqueFd> file = open_within(directory, name, O_PATH);
        if (!file.ok()) {
            if (!is_not_ours(file.error())) {
                fail(file.system_error(), directory, name);
            }
            return;
        }
        const int fd = file.value().get();
        struct stat status {};
        check(fstat(fd, &status), "fstat").or_throw(printable(path_));
        if (S_ISLNK(status.st_mode) || S_ISDIR(status.st_mode)) {
            return; // exchanged meanwhile
        }
        const ExtendedAttributes attributes = ExtendedAttributes::of_path_fd(fd);
        if (!is_right(status.st_uid, status.st_gid) || attributes.get(kKeepsake, value_).ok()) {
            shift_owner_and_mend(fd, status, attributes);
        }
        shift_attributes(attributes, fd);
    }

    void shift_owner_and_mend(int fd, const struct stat& status, const ExtendedAttributes& attributes) {
        Keepsake keepsake;
        keepsake.mode = status.st_mode & kLostBits;
        if (const Result<std::string_view> capability = attributes.get(kCapability, value_); capability.ok()) {
            keepsake.capability = capability.value();
        }
        if (const Result<std::string_view> earlier = attributes.get(kKeepsake, value_); earlier.ok()) {
            keepsake.add(earlier.value());
        }
        // Where it cannot be written (inside another container) only a kill right here would lose the bits.
        const bool noted = !keepsake.empty() && attributes.set(kKeepsake, keepsake.text()).ok();
        change_owner(fd, "", shifted(status.st_uid), shifted(status.st_gid));
        if (keepsake.mode != 0) {
            const mode_t mode = (status.st_mode & 07777) | keepsake.mode;
            check(chmod(fmt::format("/proc/self/fd/{}", fd).c_str(), mode), "chmod").or_throw(printable(path_));
        }
        if (!keepsake.capability.empty()) {
            set(attributes, kCapability, shifted_capability(keepsake.capability, base_), fd);
        }
        if (noted) {
            (void)attributes.remove(kKeepsake); // stale it says what is there anyway
        }
    }

    void set(const ExtendedAttributes& attributes, const char* name, std::string_view value, int fd) const {
        if (const Result<void> done = attributes.set(name, value); !done.ok()) {
            fail(done.system_error(), fd, "");
        }
    }

    // Ids in the values of a file's or directory's attributes.
    void shift_attributes(const ExtendedAttributes& attributes, int fd) {
        const Result<std::string_view> names = attributes.list(list_);
        if (!names.ok()) {
            fail(names.system_error(), fd, "");
        }
        for_each_attribute(names.value(), [&](std::string_view name) {
            const bool acl = name == kAccessAcl || name == kDefaultAcl;
            if (!acl && name != kCapability) {
                return;
            }
            const Result<std::string_view> value = attributes.get(name.data(), value_);
            if (!value.ok()) {
                return fail(value.system_error(), fd, "");
            }
            const std::string wanted =
                acl ? shifted_acl(value.value(), base_) : shifted_capability(value.value(), base_);
            if (wanted != value.value()) {
                set(attributes, name.data(), wanted, fd);
            }
        });
    }

    const std::string& path_;
    uint32_t base_;
    std::vector<Pending> pending_;
    std::vector<char> list_ = std::vector<char>(ExtendedAttributes::kLargest);
    std::vector<char> value_ = std::vector<char>(ExtendedAttributes::kLargest);
};

} // namespace

void shift_ownership(int tree, const std::string& path, uint32_t base) {
    if (base % kIdRange != 0 || base >= kBusyBase) {
        throw Error(fmt::format("{} is not the start of an id range: it has to be a multiple of 65536 below {}", base,
                                kBusyBase));
    }
    Shifter(path, base).run(tree);
}

} // namespace nspawn
