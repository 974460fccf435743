#include "image/scratch_record.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/own_user.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "config/network_message.hpp"
#include "image/path_claim.hpp"
#include "image/scratch_directory.hpp"
#include "image/scratch_mount.hpp"
#include "image/worker_program.hpp"
#include "lease/lease_table.hpp"
#include "linux/cgroup_branch.hpp"
#include "linux/lent_link.hpp"
#include "linux/network_namespace.hpp"
#include "linux/program_output.hpp"
#include "linux/zone_bridge.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr size_t kMaxRecordSize = size_t{256} * 1024;
constexpr std::string_view kKindNames[] = {"tree",        "cgroup",    "directory", "mount", "file",  "empty-cgroup",
                                           "zone-bridge", "lent-link", "network",   "ports", "lease", "address"};

// A line stays a line whatever the path holds.
std::string escaped(std::string_view path) {
    std::string result;
    for (const char c : path) {
        if (static_cast<unsigned char>(c) < 0x20 || c == '\\' || c == 0x7f) {
            result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
            result += c;
        }
    }
    return result;
}

std::string records_directory() {
    const std::string runtime = runtime_directory();
    return runtime.empty() ? "" : join(runtime, "nspawn/runs");
}

Result<UniqueFd> create_record(const std::string& path) {
    return open_at(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

} // namespace

std::string of_this_network(std::string_view path) { return fmt::format("/{}{}", own_network_namespace(), path); }

std::string runtime_directory() {
    if (own_user() == 0) {
        return "/run";
    }
    const char* directory = std::getenv("XDG_RUNTIME_DIR");
    return directory != nullptr && is_absolute(directory) ? simplified(directory) : "";
}

ScratchRecord::ScratchRecord(ScratchRecord&& other) noexcept
    : file_(std::move(other.file_)), path_(std::exchange(other.path_, {})), waiting_(std::move(other.waiting_)),
      keep_(other.keep_), failed_(other.failed_) {}

ScratchRecord::~ScratchRecord() { finish(); }

void ScratchRecord::finish() {
    if (!path_.empty() && !keep_) {
        ::unlink(path_.c_str());
        path_.clear();
    }
}

Result<void> ScratchRecord::make() {
    const std::string directory = records_directory();
    if (directory.empty()) {
        return SystemError{ENOENT, "$XDG_RUNTIME_DIR"};
    }
    // A janitor may come between creation and lock, find the record empty and remove it.
    for (int attempt = 0; attempt < 8; ++attempt) {
        // Unique for the creation to succeed; nobody else can write there, so it may be guessed.
        const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
        const std::string path = fmt::format("{}/{:016x}", directory, now);
        Result<UniqueFd> file = create_record(path);
        if (file.error() == ENOENT) {
            mkdir(parent_of(directory).c_str(), 0755); // whether they are there now is told by the next attempt
            mkdir(directory.c_str(), 0700);
            continue;
        }
        if (!file.ok()) {
            return file.system_error();
        }
        struct stat status {};
        if (flock(file.value().get(), LOCK_EX | LOCK_NB) == 0 && fstat(file.value().get(), &status) == 0 &&
            status.st_nlink > 0) {
            file_ = std::move(file).value();
            path_ = path;
            return {};
        }
    }
    return SystemError{EAGAIN, "flock"};
}

bool ScratchRecord::is_called(std::string_view name) const { return base_name(path_) == name; }

void ScratchRecord::add(ScratchKind kind, std::string_view path) {
    add_later(kind, path);
    write();
}

void ScratchRecord::add_later(ScratchKind kind, std::string_view path) {
    waiting_ += fmt::format("{} {}\n", kKindNames[static_cast<size_t>(kind)], escaped(path));
}

void ScratchRecord::write() {
    if (waiting_.empty()) {
        return;
    }
    Result<void> result;
    if (!file_ && !failed_) {
        result = make();
    }
    if (file_) {
        result = write_all(file_.get(), waiting_);
    }
    if (!result.ok()) {
        failed_ = true;
        log::warning("cannot record what this run makes in {}: {}; if it is killed, this will stay behind: {}",
                     records_directory(), error_text(result.error()), trim(waiting_));
    }
    waiting_.clear();
}

namespace {

// A last component of an absolute, normalized path, by a descriptor of its parent.
Result<UniqueFd> open_parent(const std::string& path) {
    return open_at(AT_FDCWD, parent_of(path).c_str(), O_PATH | O_DIRECTORY);
}

// Only what lies below /run/nspawn or /run/systemd/nspawn (or the user's own runtime directory) was ever ours.
bool is_runtime_path(const std::string& path) {
    const std::string runtime = runtime_directory();
    if (runtime.empty()) {
        return false;
    }
    return (is_within(path, join(runtime, "nspawn")) || is_within(path, join(runtime, "systemd/nspawn"))) &&
           !is_within(path, records_directory());
}

Result<void> reclaim_runtime_entry(const std::string& path, int kind) {
    if (!is_runtime_path(path)) {
        return SystemError{EINVAL, "path"};
    }
    const Result<UniqueFd> parent = open_parent(path);
    if (parent.error() == ENOENT) {
        return {};
    }
    if (!parent.ok()) {
        return parent.system_error();
    }
    if (unlinkat(parent.value().get(), std::string(base_name(path)).c_str(), kind) < 0 && errno != ENOENT) {
        return last_error("unlinkat");
    }
    return {};
}

// Not while a living run uses it, too.
Result<void> reclaim_directory(const std::string& path) {
    const Result<PathClaim> claim = PathClaim::alone(path);
    return claim.ok() ? reclaim_runtime_entry(path, AT_REMOVEDIR) : Result<void>(claim.system_error());
}

Result<void> reclaim_lease(const std::string& path) {
    if (path != lease_file(base_name(path))) {
        return SystemError{EINVAL, "path"};
    }
    Result<LeaseTable> table = LeaseTable::lock(LeaseTable::Wait::no);
    if (table.ok()) {
        table.value().sweep();
    }
    return table.ok() ? Result<void>() : Result<void>(table.system_error());
}

Result<void> reclaim_ports(const std::string& path) {
    constexpr int kPatience = 10'000; // milliseconds
    if (path != kPortRecords) {
        return SystemError{EINVAL, "path"};
    }
    const std::string worker = find_worker("nspawn-network", "published ports");
    const Result<ProgramOutput> done = read_program({worker, "reclaim"}, 4096, kPatience);
    if (!done.ok()) {
        return done.system_error();
    }
    return done.value().status == 0 ? Result<void>() : SystemError{EIO, "nspawn-network"};
}

Result<void> reclaim_link(const std::string& text) {
    const std::optional<LentLink> link = LentLink::parse(text);
    return link ? reclaim_lent_link(*link) : SystemError{EINVAL, "record"};
}

// What of_this_network() has put together.
Result<void> reclaim_in_network(ScratchKind kind, const std::string& text) {
    const size_t slash = text.find('/', 1);
    const auto number = parse_unsigned(text.substr(1, slash - 1));
    if (slash == std::string::npos || !number) {
        return SystemError{EINVAL, "record"};
    }
    const std::string path = text.substr(slash);
    if (*number != own_network_namespace()) {
        return network_namespace_exists(*number) ? SystemError{EBUSY, "network namespace"} : Result<void>();
    }
    switch (kind) {
    case ScratchKind::lease:
        return reclaim_lease(path);
    case ScratchKind::zone_bridge:
        return reclaim_zone_bridge(path.substr(1));
    default:
        return reclaim_ports(path);
    }
}

Result<void> reclaim(ScratchKind kind, const std::string& path) {
    if (!is_absolute(path) || !is_normalized(path) || path.find('\0') != std::string::npos) {
        return SystemError{EINVAL, "path"};
    }
    switch (kind) {
    case ScratchKind::tree:
        return remove_leftover_scratch(path);
    case ScratchKind::cgroup:
        return is_within(path, "/sys/fs/cgroup") ? remove_leftover_cgroup(path) : SystemError{EINVAL, "path"};
    case ScratchKind::empty_cgroup:
        return is_within(path, "/sys/fs/cgroup") ? remove_empty_leftover_cgroup(path) : SystemError{EINVAL, "path"};
    case ScratchKind::directory:
        return reclaim_directory(path);
    case ScratchKind::mount:
        return is_runtime_path(path) ? remove_leftover_mount(path) : SystemError{EINVAL, "path"};
    case ScratchKind::file:
        return reclaim_runtime_entry(path, 0);
    case ScratchKind::lease:
    case ScratchKind::zone_bridge:
    case ScratchKind::ports:
        return reclaim_in_network(kind, path);
    case ScratchKind::lent_link:
        return reclaim_link(path.substr(1));
    case ScratchKind::network:
    case ScratchKind::address:
        return {};
    }
    return SystemError{EINVAL, "kind"};
}

Result<void> reclaim_line(std::string_view line) {
    const size_t space = line.find(' ');
    const std::string_view name = line.substr(0, space);
    const auto path = unescape_c(space == std::string_view::npos ? "" : line.substr(space + 1));
    for (size_t kind = 0; path && kind < std::size(kKindNames); ++kind) {
        if (name == kKindNames[kind]) {
            return reclaim(static_cast<ScratchKind>(kind), *path);
        }
    }
    return SystemError{EINVAL, "record"};
}

// True when nothing of it is left. Newest first: what was made last lies in what was made before.
bool reclaim_record(std::string_view content) {
    std::vector<std::string_view> lines = split(content, '\n');
    lines.pop_back(); // behind the last newline: nothing, or a line that was cut off before its thing was made
    std::reverse(lines.begin(), lines.end());
    bool clean = true;
    for (const std::string_view line : lines) {
        if (const Result<void> done = reclaim_line(line); !done.ok()) {
            log::debug("leftover of a killed run: {}: {}", line, error_text(done.error()));
            // What means nothing, is not ours or is a living run's by now will be so tomorrow; what is busy or broken
            // may be tried again.
            clean = clean && (done.error() == EINVAL || done.error() == ENOTSUP || done.error() == EAGAIN);
        }
    }
    return clean;
}

void reclaim_record_file(int directory, const char* name) {
    const Result<UniqueFd> file = open_at(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!file.ok() || flock(file.value().get(), LOCK_EX | LOCK_NB) < 0) {
        return; // gone meanwhile, or its owner lives
    }
    struct stat status {};
    if (fstat(file.value().get(), &status) < 0 || status.st_nlink == 0 || !S_ISREG(status.st_mode) ||
        status.st_uid != own_user()) {
        return;
    }
    const Result<std::string> content = read_all(file.value().get(), kMaxRecordSize);
    if (content.ok() && reclaim_record(content.value())) {
        unlinkat(directory, name, 0);
    }
}

bool only_we_can_write(int directory) {
    struct stat status {};
    return fstat(directory, &status) == 0 && status.st_uid == own_user() && (status.st_mode & 0022) == 0;
}

} // namespace

namespace {

void collect_from_living(int directory, const char* name, std::string_view kind, std::vector<std::string>& found) {
    const Result<UniqueFd> file = open_at(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!file.ok()) {
        return;
    }
    const Result<std::string> content = read_all(file.value().get(), kMaxRecordSize);
    // Asked after reading: what was read then is of a run that has lived until now.
    if (!content.ok() || flock(file.value().get(), LOCK_SH | LOCK_NB) == 0) {
        return;
    }
    for (std::string_view line : split(content.value(), '\n')) {
        if (take_until(line, ' ') == kind) {
            if (auto path = unescape_c(line)) {
                found.push_back(std::move(*path));
            }
        }
    }
}

} // namespace

std::vector<std::string> recorded_by_living_runs(ScratchKind kind, const ScratchRecord* own) {
    std::vector<std::string> found;
    const std::string path = records_directory();
    const Result<UniqueFd> directory = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (path.empty() || !directory.ok() || !only_we_can_write(directory.value().get())) {
        return found;
    }
    const int fd = directory.value().get();
    (void)for_each_entry(fd, [&](const dirent64& entry) {
        if (own == nullptr || !own->is_called(entry.d_name)) {
            collect_from_living(fd, entry.d_name, kKindNames[static_cast<size_t>(kind)], found);
        }
        return true;
    });
    return found;
}

void reclaim_dead_runs(const ScratchRecord* own) {
    const std::string path = records_directory();
    if (path.empty()) {
        return;
    }
    const Result<UniqueFd> directory = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory.ok() || !only_we_can_write(directory.value().get())) {
        return;
    }
    const int fd = directory.value().get();
    (void)for_each_entry(fd, [&](const dirent64& entry) {
        if (own == nullptr || !own->is_called(entry.d_name)) {
            reclaim_record_file(fd, entry.d_name);
        }
        return true;
    });
}

} // namespace nspawn
