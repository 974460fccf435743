// The stage that reads back what was mounted. A read-only mount or a mask that did not take protects nothing while
// everybody believes that it does; so it ends the start. Source of the format: proc_pid_mountinfo(5).

#include "base/file.hpp"
#include "base/text.hpp"
#include "plan/mount_table.hpp"
#include "run/child_state.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

namespace nspawn {

namespace {

constexpr size_t kMountInfoLimit = 16U << 20;

[[noreturn]] void fail(std::string_view target, std::string_view what) {
    throw Error(fmt::format("{} {}, although it was asked for", target, what),
                "The container would be less confined than it looks; it is not started.");
}

// 36 35 98:0 /root /target rw,noatime shared:1 - ext4 /dev/root rw
struct MountedEntry {
    std::string_view root;
    std::string_view target;
    std::string_view flags;
    std::string_view type;
};

MountedEntry parse_entry(std::string_view line) {
    for (int ids = 0; ids < 3; ++ids) { // of the mount, its parent and its device
        take_until(line, ' ');
    }
    MountedEntry entry;
    entry.root = take_until(line, ' ');
    entry.target = take_until(line, ' ');
    entry.flags = take_until(line, ' ');
    while (!line.empty() && take_until(line, ' ') != "-") { // propagation
    }
    entry.type = take_until(line, ' ');
    return entry;
}

bool has_flag(std::string_view flags, std::string_view wanted) {
    while (!flags.empty()) {
        if (take_until(flags, ',') == wanted) {
            return true;
        }
    }
    return false;
}

constexpr struct {
    uint64_t attribute;
    const char* flag;
} kReadableFlags[] = {{MOUNT_ATTR_RDONLY, "ro"},
                      {MOUNT_ATTR_NOSUID, "nosuid"},
                      {MOUNT_ATTR_NODEV, "nodev"},
                      {MOUNT_ATTR_NOEXEC, "noexec"},
                      {MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"}};

class Verifier {
public:
    // `mountinfo` stays the caller's.
    explicit Verifier(std::string_view mountinfo) {
        entries_.reserve(64); // a default container has about half of that
        while (!mountinfo.empty()) {
            entries_.push_back(parse_entry(take_until(mountinfo, '\n')));
        }
    }

    void expect(const std::string& target, uint64_t attributes) const {
        const MountedEntry& entry = topmost(target);
        for (const auto& readable : kReadableFlags) {
            if ((attributes & readable.attribute) != 0 && !has_flag(entry.flags, readable.flag)) {
                fail(target, fmt::format("is not {}", readable.flag));
            }
        }
    }

    void expect_type(const std::string& target, std::string_view type) const {
        if (topmost(target).type != type) {
            fail(target, fmt::format("is no {}", type));
        }
    }

    void expect_mask(const std::string& target) const {
        const MountedEntry& entry = topmost(target);
        if (entry.type != "tmpfs" || !entry.root.ends_with("/inaccessible/reg")) {
            fail(target, "is not masked");
        }
    }

private:
    [[nodiscard]] const MountedEntry& topmost(const std::string& target) const {
        const auto found = std::find_if(entries_.rbegin(), entries_.rend(),
                                        [&](const MountedEntry& entry) { return entry.target == target; });
        if (found == entries_.rend()) {
            explain_mount_target(target, ENOENT);
            fail(target, "is not mounted");
        }
        return *found;
    }

    std::vector<MountedEntry> entries_;
};

void verify(const Verifier& verifier, const MountFileSystem& what) {
    if (what.keep_existing_mount) {
        return; // may be somebody else's mount, or lie behind a symbolic link
    }
    verifier.expect_type(what.target, what.type);
    verifier.expect(what.target, what.attributes);
}

void verify(const Verifier& verifier, const MountParts& what) {
    verifier.expect_type(what.target, "tmpfs");
    verifier.expect(what.target, what.attributes);
    for (const std::string& part : what.parts) {
        const std::string path = fmt::format("{}/{}", what.target, part);
        verifier.expect_type(path, what.type);
        verifier.expect(path, what.attributes);
    }
}

void verify(const Verifier& verifier, const BindInside& what) {
    verifier.expect(what.target, what.attributes);
    if (what.mask) {
        verifier.expect_mask(what.target);
    }
}

void verify(const Verifier& verifier, const BindFromHost& what) { verifier.expect(what.target, what.attributes); }

// Nothing to read back: a missing node or file has failed already.
template <typename Other>
void verify(const Verifier&, const Other&) {}

} // namespace

void verify_mounts(ChildState& state) {
    const UniqueFd file = open_at(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY).or_throw("");
    const std::string text = read_all(file.get(), kMountInfoLimit).or_throw("/proc/self/mountinfo");
    const Verifier verifier(text);
    if (state.plan.read_only && state.plan.root != RootKind::volatile_usr &&
        state.plan.root != RootKind::volatile_overlay) {
        verifier.expect("/", MOUNT_ATTR_RDONLY);
    }
    if (state.plan.root == RootKind::volatile_usr) {
        verifier.expect("/usr", MOUNT_ATTR_RDONLY);
    }
    for (const OperationGroup& group : state.plan.groups) {
        if (group.stage == kStageIncoming) {
            continue; // comes with the word to go, and is looked at then
        }
        for (const Operation& operation : group.operations) {
            const auto& left_out = state.left_out;
            if (std::find(left_out.begin(), left_out.end(), &operation) == left_out.end()) {
                std::visit([&](const auto& what) { verify(verifier, what); }, operation);
            }
        }
    }
}

void attach_incoming(ChildState& state) {
    run_group(state, kStageIncoming);
    struct statfs status {};
    if (state.incoming.valid() && (statfs(kIncomingPath, &status) < 0 || (status.f_flags & ST_RDONLY) == 0)) {
        fail(kIncomingPath, "is not read-only");
    }
}

} // namespace nspawn
