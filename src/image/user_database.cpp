#include "image/user_database.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/path.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include <limits.h>

namespace nspawn {

namespace {

constexpr size_t kMaxFile = size_t{1024} * 1024;
constexpr size_t kMaxLine = 4096;
constexpr size_t kMaxEntries = 65536;
constexpr size_t kMaxGroups = 65536; // NGROUPS_MAX of the kernel

std::optional<uint32_t> parse_id(std::string_view text) {
    const auto number = parse_unsigned(text);
    // (uid_t) -1 means "no change" to the kernel, and its 16-bit form is what old calls make of it.
    if (!number || *number >= UINT32_MAX || *number == 0xffff) {
        return std::nullopt;
    }
    return static_cast<uint32_t>(*number);
}

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Fields end up in the environment, in messages and in paths.
bool is_clean(std::string_view text) {
    return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// Calls `visit` with the fields of each well-formed line until it answers false. Allocates nothing.
template <size_t Count, typename Visit>
void for_each_entry(std::string_view text, Visit visit) {
    text = text.substr(0, kMaxFile);
    for (size_t entries = 0; !text.empty() && entries < kMaxEntries; ++entries) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.size() > kMaxLine || line.starts_with('#') || line.starts_with('+') || line.starts_with('-') ||
            !is_clean(line)) { // comments, and the compat lines of nsswitch.conf(5)
            continue;
        }
        std::array<std::string_view, Count> fields;
        size_t count = 0;
        while (count < Count - 1 && line.find(':') != std::string_view::npos) {
            fields[count++] = line.substr(0, line.find(':'));
            line.remove_prefix(fields[count - 1].size() + 1);
        }
        fields[count++] = line;
        if (count == Count && !fields[0].empty() && !visit(std::span<const std::string_view, Count>(fields))) {
            return;
        }
    }
}

std::optional<UserRecord> record_of(std::span<const std::string_view, 7> fields) {
    const auto uid = parse_id(fields[2]);
    const auto gid = parse_id(fields[3]);
    if (!uid || !gid || fields[6].find(':') != std::string_view::npos) {
        return std::nullopt;
    }
    UserRecord record;
    record.name = fields[0];
    record.uid = *uid;
    record.gid = *gid;
    record.home = is_absolute(fields[5]) ? simplified(fields[5]) : "/";
    record.shell = is_absolute(fields[6]) ? fields[6] : "";
    return record;
}

// The first entry that `matches`; as in getpwnam(3), later ones of the same name or uid do not count.
template <typename Matches>
std::optional<UserRecord> first_entry(std::string_view passwd, Matches matches) {
    std::optional<UserRecord> result;
    for_each_entry<7>(passwd, [&](std::span<const std::string_view, 7> fields) {
        if (matches(fields)) {
            result = record_of(fields);
        }
        return !result;
    });
    return result;
}

bool lists_member(std::string_view members, std::string_view name) {
    while (!members.empty()) {
        const size_t comma = std::min(members.find(','), members.size());
        if (members.substr(0, comma) == name) {
            return true;
        }
        members.remove_prefix(std::min(comma + 1, members.size()));
    }
    return false;
}

std::vector<gid_t> groups_of(std::string_view group, const UserRecord& user) {
    std::vector<gid_t> groups;
    for_each_entry<4>(group, [&](std::span<const std::string_view, 4> fields) {
        const auto gid = parse_id(fields[2]);
        if (gid && *gid != user.gid && lists_member(fields[3], user.name)) {
            groups.push_back(*gid);
        }
        return groups.size() < kMaxGroups;
    });
    std::ranges::sort(groups);
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    return groups;
}

UserRecord unnamed_user(uint32_t uid) {
    UserRecord record;
    record.name = fmt::to_string(uid);
    record.uid = uid;
    record.gid = uid;
    return record;
}

// A file that cannot be used is as good as none, but silence about it would be a riddle.
std::string read_database(int tree, const char* path) {
    Result<std::string> content = read_file_in_root(tree, path, kMaxFile);
    if (content.ok()) {
        return std::move(content).value();
    }
    if (content.error() != ENOENT) {
        const bool irregular = content.error() == ENOTSUP;
        log::debug("/{} of the tree is not used: {}", path,
                   irregular ? "not a regular file" : error_text(content.error()));
    }
    return {};
}

} // namespace

std::optional<UserRecord> find_user_in(std::string_view passwd, std::string_view group, std::string_view user) {
    auto record = first_entry(passwd, [&](auto fields) { return fields[0] == user; });
    if (!record && is_number(user)) {
        const auto uid = parse_id(user);
        if (!uid) {
            throw Error(fmt::format("--user={}: not a user id (0 to 4294967294, without 65535)", user));
        }
        record = first_entry(passwd, [&](auto fields) { return parse_id(fields[2]) == uid; });
        if (!record) {
            return unnamed_user(*uid);
        }
    }
    if (record) {
        record->groups = groups_of(group, *record);
    }
    return record;
}

std::optional<UserRecord> find_user(int tree, std::string_view user) {
    const std::string passwd = read_database(tree, "etc/passwd");
    return find_user_in(passwd, read_database(tree, "etc/group"), user);
}

} // namespace nspawn
