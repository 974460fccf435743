#include "run/host_files.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/path.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <climits>
#include <optional>

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kLargestFile = size_t{1} << 20;

// What the tree has at the targets, all of which lie in one directory. A tree that hides it, or whose directory cannot
// be entered, tells nothing: then everything is prepared, and the child finds out.
class TreeSide {
public:
    explicit TreeSide(int root) : root_(root) {}

    // No value: nothing of that name, or not to be told.
    std::optional<struct stat> status_of(const HostFile& file) {
        struct stat status {};
        if (!enter(file) || fstatat(etc_->get(), name_of(file).c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
            return std::nullopt;
        }
        return status;
    }

    // The zone of the link that is there; empty: none.
    std::string zone_of(const HostFile& file) {
        std::array<char, PATH_MAX> link; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlinkat
        if (!enter(file)) {
            return {};
        }
        const ssize_t size = readlinkat(etc_->get(), name_of(file).c_str(), link.data(), link.size());
        return size < 0 ? std::string() : zone_of_link({link.data(), static_cast<size_t>(size)});
    }

    [[nodiscard]] bool has_zone(const HostFile& file) const {
        const std::string path = "usr/share/zoneinfo/" + file.zone;
        return !file.hidden && open_in_root(root_, path.c_str(), O_PATH).ok();
    }

    [[nodiscard]] bool lacks(const HostFile& file) const {
        return !file.hidden && open_in_root(root_, file.target + 1, O_PATH).error() == ENOENT;
    }

private:
    static std::string name_of(const HostFile& file) { return std::string(base_name(file.target)); }

    bool enter(const HostFile& file) {
        if (file.hidden) {
            return false;
        }
        if (!etc_) {
            etc_ = open_in_root(root_, parent_of(file.target).c_str() + 1, O_PATH | O_DIRECTORY).value_or(UniqueFd());
        }
        return etc_->valid();
    }

    int root_;
    std::optional<UniqueFd> etc_;
};

bool same_time(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

class Preparation {
public:
    Preparation(const Plan& plan, int root) : plan_(plan), tree_(root) {}

    std::vector<PreparedHostFile> run() {
        for (const HostFile& file : plan_.host_files) {
            prepare(file);
        }
        return std::move(prepared_);
    }

private:
    void prepare(const HostFile& file) {
        switch (file.action) {
        case HostFileAction::copy:
        case HostFileAction::replace:
            return prepare_copy(file);
        case HostFileAction::bind:
            return prepare_bind(file);
        case HostFileAction::link:
            return prepare_link(file);
        case HostFileAction::remove:
            return prepare_removal(file);
        }
    }

    void say_missing(const HostFile& file, std::string_view why) const {
        const std::string text = fmt::format("{} is left as it is: {} of the host: {}", file.target, file.source, why);
        if (file.on_request) {
            log::warning("{}", text);
        } else {
            log::debug("{}", text);
        }
    }

    void prepare_copy(const HostFile& file) {
        struct stat source {};
        if (stat(file.source.c_str(), &source) < 0) {
            if (errno == ENOENT && file.remove_if_missing) {
                prepare_removal(file);
            } else {
                say_missing(file, error_text(errno));
            }
            return;
        }
        if (has_already(file, source)) {
            return;
        }
        // The time of before the reading: what changes meanwhile is seen as changed at the next start.
        Result<std::string> content = read_file(AT_FDCWD, file.source.c_str(), kLargestFile);
        if (!content.ok()) {
            say_missing(file, content.error() == ENOTSUP ? "not a regular file" : error_text(content.error()));
            return;
        }
        warn_of_loopback(file, content.value());
        prepared_.push_back({.file = &file,
                             .action = file.action,
                             .mount = MountFd(),
                             .content = std::move(content).value(),
                             .modified = source.st_mtim});
    }

    // Or a link, which a copy never touches.
    bool has_already(const HostFile& file, const struct stat& source) {
        const std::optional<struct stat> status = tree_.status_of(file);
        if (!status) {
            return false;
        }
        if (S_ISLNK(status->st_mode)) {
            return file.action == HostFileAction::copy;
        }
        return S_ISREG(status->st_mode) && status->st_size == source.st_size &&
               same_time(status->st_mtim, source.st_mtim);
    }

    // Somebody asked for it by name; it is done, but will hardly be what they want.
    void warn_of_loopback(const HostFile& file, const std::string& content) const {
        const bool own_network = (plan_.namespaces & CLONE_NEWNET) != 0;
        if (own_network && file.target == std::string_view(kResolvConfPath) && has_only_loopback_servers(content)) {
            log::warning("the name servers of {} listen on the host's loopback interface, which a private network "
                         "cannot reach",
                         file.source);
        }
    }

    bool open_mount(const HostFile& file, MountFd& mount) const {
        Result<MountFd> opened = MountFd::clone_with(
            AT_FDCWD, file.source.c_str(), Recursive::no,
            {MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, Propagation::private_}, FinalLink::followed);
        if (!opened.ok()) {
            say_missing(file, error_text(opened.error()));
            return false;
        }
        mount = std::move(opened).value();
        return true;
    }

    void prepare_bind(const HostFile& file) {
        if (!file.writable && !file.on_request && tree_.lacks(file)) {
            if (!plan_.quiet) {
                log::notice("the tree has no {} to mount the host's on, and may not be written", file.target);
            }
            return;
        }
        PreparedHostFile prepared{.file = &file, .action = file.action, .mount = MountFd(), .content = {}};
        if (open_mount(file, prepared.mount)) {
            prepared_.push_back(std::move(prepared));
        }
    }

    void prepare_link(const HostFile& file) {
        if (file.zone.empty()) {
            log::warning("{} is left as it is: the host's is no symbolic link into /usr/share/zoneinfo", file.target);
            return;
        }
        if (tree_.zone_of(file) == file.zone) {
            return;
        }
        PreparedHostFile prepared{.file = &file, .action = file.action, .mount = MountFd(), .content = {}};
        if (!tree_.has_zone(file)) {
            const bool opened = open_mount(file, prepared.mount);
            if (!file.hidden && !opened) {
                return;
            }
            prepared.action = file.hidden ? HostFileAction::link : HostFileAction::bind;
        }
        prepared_.push_back(std::move(prepared));
    }

    void prepare_removal(const HostFile& file) {
        if (file.hidden || tree_.status_of(file)) {
            prepared_.push_back({.file = &file, .action = HostFileAction::remove, .mount = MountFd(), .content = {}});
        }
    }

    const Plan& plan_;
    TreeSide tree_;
    std::vector<PreparedHostFile> prepared_;
};

} // namespace

bool has_only_loopback_servers(std::string_view resolv_conf) {
    bool found = false;
    while (!resolv_conf.empty()) {
        const std::vector<std::string_view> words = split_any(take_until(resolv_conf, '\n'), " \t");
        if (words.size() < 2 || words[0] != "nameserver") {
            continue;
        }
        if (!words[1].starts_with("127.") && words[1] != "::1") {
            return false;
        }
        found = true;
    }
    return found;
}

std::vector<PreparedHostFile> prepare_host_files(const Plan& plan, int root) { return Preparation(plan, root).run(); }

} // namespace nspawn
