#include "run/verify_mounts.hpp"

#include "base/file.hpp"
#include "base/text.hpp"
#include "linux/mount_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/mount.h>

namespace nspawn {

namespace {

constexpr size_t kMountInfoLimit = 16U << 20;

[[noreturn]] void fail(const std::string& target, std::string_view what, int code = 0) {
    throw MountProblem{target, fmt::format("{}, although it was asked for", what), code};
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

// Blanks, newlines and backslashes are octal there.
std::string as_in_mountinfo(std::string_view path) {
    std::string result;
    for (const char c : path) {
        const bool special = c == ' ' || c == '\t' || c == '\n' || c == '\\';
        result += special ? fmt::format("\\{:03o}", static_cast<unsigned char>(c)) : std::string(1, c);
    }
    return result;
}

bool has_flag(std::string_view flags, std::string_view wanted) {
    while (!flags.empty()) {
        if (take_until(flags, ',') == wanted) {
            return true;
        }
    }
    return false;
}

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
        for (const MountFlagName& flag : kMountFlagNames) {
            if (flag.status_flag != 0 && (attributes & flag.attribute) != 0 && !has_flag(entry.flags, flag.word)) {
                fail(target, fmt::format("is not {}", flag.word));
            }
        }
    }

    void expect_id_map(const std::string& target) const {
        if (!has_flag(topmost(target).flags, "idmapped")) {
            fail(target, "is not id-mapped");
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
            fail(target, "is not mounted", ENOENT);
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

// What the user wants to see there instead of ours; it was read back by the child that put it there.
std::vector<std::string_view> custom_destinations(const Plan& plan) {
    std::vector<std::string_view> destinations;
    for (const OperationGroup& group : plan.groups) {
        for (const Operation& operation : group.operations) {
            if (const auto* const custom = std::get_if<MountCustom>(&operation)) {
                destinations.emplace_back(custom->what.destination);
            }
        }
    }
    return destinations;
}

bool is_covered(const Operation& operation, const std::vector<std::string_view>& destinations) {
    const auto covers = [&](std::string_view target) {
        return std::find(destinations.begin(), destinations.end(), target) != destinations.end();
    };
    return !destinations.empty() && std::visit(
                                        [&](const auto& what) {
                                            if constexpr (requires { what.target; }) {
                                                return covers(what.target);
                                            }
                                            return false;
                                        },
                                        operation);
}

void verify_all(const Verifier& verifier, const Plan& plan, const std::vector<size_t>& left_out) {
    if (plan.read_only && plan.root != RootKind::volatile_usr && plan.root != RootKind::volatile_overlay) {
        verifier.expect("/", MOUNT_ATTR_RDONLY);
    }
    if (plan.root == RootKind::volatile_usr) {
        verifier.expect("/usr", MOUNT_ATTR_RDONLY);
    }
    if (!plan.pivot_root.old_root.empty()) {
        verifier.expect(as_in_mountinfo(plan.pivot_root.old_root), plan.read_only ? MOUNT_ATTR_RDONLY : 0);
    }
    if (plan.map_tree && plan.root != RootKind::volatile_overlay) {
        verifier.expect_id_map(plan.root == RootKind::volatile_usr ? "/usr" : "/");
    }
    const std::vector<std::string_view> asked_for = custom_destinations(plan);
    size_t number = 0;
    for (const OperationGroup& group : plan.groups) {
        for (const Operation& operation : group.operations) {
            const bool made = std::find(left_out.begin(), left_out.end(), number++) == left_out.end();
            if (made && !is_covered(operation, asked_for)) {
                std::visit([&](const auto& what) { verify(verifier, what); }, operation);
            }
        }
    }
}

} // namespace

std::string number_operations(const Plan& plan, const std::vector<const Operation*>& chosen) {
    std::string numbers;
    size_t number = 0;
    for (const OperationGroup& group : plan.groups) {
        for (const Operation& operation : group.operations) {
            if (std::find(chosen.begin(), chosen.end(), &operation) != chosen.end()) {
                fmt::format_to(std::back_inserter(numbers), "{} ", number);
            }
            ++number;
        }
    }
    return numbers;
}

std::optional<MountProblem> find_mount_problem(const Plan& plan, std::string_view left_out,
                                               std::string_view mountinfo) {
    std::vector<size_t> numbers;
    while (!left_out.empty()) {
        if (const auto number = parse_unsigned(take_until(left_out, ' '))) {
            numbers.push_back(*number);
        }
    }
    try {
        verify_all(Verifier(mountinfo), plan, numbers);
    } catch (const MountProblem& problem) {
        return problem;
    }
    return std::nullopt;
}

std::optional<MountProblem> find_mount_problem(const Plan& plan, std::string_view left_out, pid_t process) {
    const std::string path = fmt::format("/proc/{}/mountinfo", process);
    const Result<UniqueFd> file = open_at(AT_FDCWD, path.c_str(), O_RDONLY);
    const Result<std::string> text =
        file.ok() ? read_all(file.value().get(), kMountInfoLimit) : Result<std::string>(file.system_error());
    if (!text.ok()) {
        return MountProblem{path, fmt::format("cannot be read: {}", error_text(text.error())), text.error()};
    }
    return find_mount_problem(plan, left_out, text.value());
}

} // namespace nspawn
