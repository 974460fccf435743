#include "image/shift_ownership.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "base/work_stack.hpp"
#include "image/open_directories.hpp"
#include "image/shifted_ids.hpp"
#include "linux/extended_attributes.hpp"
#include "linux/termination.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <mutex>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr uint32_t kBusyBase = 0xfffe0000; // on the top directory: a shift has begun and not ended
constexpr unsigned kThreads = 2;
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
            if (capability.empty()) {
                capability = text.substr(sizeof bits);
            }
        }
    }
};

using Directories = OpenDirectories<1>;

// A directory that was seen.
struct Pending {
    Directories::Place parent;
    std::string name;
};

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
        return "Raise ulimit -n.";
    default:
        return "";
    }
}

// What all threads share.
struct Shift {
    const std::string& path;
    const uint32_t base;
    Directories directories;
    WorkStack<Pending> pending;
    std::mutex precious; // two names of one file must not be mended at once
};

// What one thread does. Holds the buffers it needs.
class Shifter {
public:
    explicit Shifter(Shift& shift) : shift_(shift), path_(shift.path), base_(shift.base) {}

    // Owner and attributes of a directory, and of all in it but directories, which are left for later.
    void operator()(const Pending& next) {
        Result<Directories::Held> parent = shift_.directories.open(next.parent);
        if (is_not_ours(parent.error()) || parent.error() == ESTALE) {
            return;
        }
        const Directories::Held held = std::move(parent).or_throw(printable(path_));
        const int above = (*held)[0].get();
        Result<UniqueFd> opened = open_beneath(above, next.name.c_str(), O_RDONLY | O_DIRECTORY);
        if (!opened.ok()) {
            if (!is_not_ours(opened.error())) {
                fail(opened.system_error(), above, next.name.c_str());
            }
            return;
        }
        const int fd = opened.value().get();
        const struct stat status = status_of(fd);
        if (!is_right(status) && !give_directory(fd, status)) {
            return;
        }
        shift_attributes(ExtendedAttributes::of_open_file(fd), fd);
        enter(next.parent, next.name, std::move(opened).value());
    }

    // All that is in a directory.
    void enter(Directories::Place parent, std::string name, UniqueFd directory) {
        Directories::Fds fds;
        fds[0] = std::move(directory);
        const auto [place, open] = shift_.directories.add(std::move(parent), std::move(name), std::move(fds));
        shift_entries(place, (*open)[0].get());
    }

    [[nodiscard]] struct stat status_of(int fd) const {
        struct stat status {};
        check(fstat(fd, &status), "fstat").or_throw(printable(path_));
        return status;
    }
    [[nodiscard]] uint32_t shifted(uint32_t id) const { return shifted_id(id, base_); }
    [[nodiscard]] bool is_right(uid_t uid, gid_t gid) const { return shifted(uid) == uid && shifted(gid) == gid; }
    [[nodiscard]] bool is_right(const struct stat& status) const { return is_right(status.st_uid, status.st_gid); }

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

    void shift_entries(const Directories::Place& directory, int fd) {
        if (is_termination_requested()) {
            throw Error(fmt::format("interrupted while changing the owners of {}", printable(path_)),
                        "The next start goes on where this one stopped.");
        }
        const Result<void> listed = for_each_entry<kListBuffer>(fd, [&](const dirent64& entry) {
            if (entry.d_type == DT_DIR || (entry.d_type == DT_UNKNOWN && is_directory(fd, entry.d_name))) {
                shift_.pending.push({directory, entry.d_name});
            } else {
                shift_entry(fd, entry.d_name);
            }
            return true;
        });
        if (!listed.ok()) {
            fail(listed.system_error(), fd, "");
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

private:
    // False for a read-only btrfs subvolume, as a snapshot that the payload keeps: it is left out.
    [[nodiscard]] bool give_directory(int fd, const struct stat& status) const {
        if (fchown(fd, shifted(status.st_uid), shifted(status.st_gid)) == 0) {
            return true;
        }
        if (errno != EROFS) {
            fail(last_error("fchown"), fd, "");
        }
        log::warning("{}: a read-only part of the tree keeps its owners", path_of(path_, fd, ""));
        return false;
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
        const Result<UniqueFd> file = open_beneath(directory, name, O_PATH);
        if (!file.ok()) {
            if (!is_not_ours(file.error())) {
                fail(file.system_error(), directory, name);
            }
            return;
        }
        const std::lock_guard lock(shift_.precious);
        const int fd = file.value().get();
        const struct stat status = status_of(fd);
        if (S_ISLNK(status.st_mode) || S_ISDIR(status.st_mode)) {
            return; // exchanged meanwhile
        }
        const ExtendedAttributes attributes = ExtendedAttributes::of_path_fd(fd);
        if (!is_right(status) || attributes.get(kKeepsake, value_).ok()) {
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

    Shift& shift_;
    const std::string& path_;
    const uint32_t base_;
    std::vector<char> list_ = std::vector<char>(ExtendedAttributes::kLargest);
    std::vector<char> value_ = std::vector<char>(ExtendedAttributes::kLargest);
};

void shift_tree(const UniqueFd& top, const std::string& path, uint32_t base) {
    Shift shift{path, base, {}, {}, {}};
    Shifter shifter(shift);
    const struct stat status = shifter.status_of(top.get());
    if (shifter.is_right(status)) {
        return;
    }
    shifter.change_owner(top.get(), "", kBusyBase | (status.st_uid & (kIdRange - 1)), status.st_gid);
    shifter.enter(nullptr, "", duplicate(top.get()).or_throw(""));
    shift.pending.work_off(kThreads, [&] { return Shifter(shift); });
    shifter.shift_attributes(ExtendedAttributes::of_open_file(top.get()), top.get());
    shifter.change_owner(top.get(), "", shifted_id(status.st_uid, base), shifted_id(status.st_gid, base));
}

} // namespace

void shift_ownership(int tree, const std::string& path, uint32_t base) {
    if (base % kIdRange != 0 || base >= kBusyBase) {
        throw Error(fmt::format("{} is not the start of an id range: it has to be a multiple of 65536 below {}", base,
                                kBusyBase));
    }
    shift_tree(open_at(tree, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW).or_throw(printable(path)), path, base);
}

} // namespace nspawn
