#include "image/user_database.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "image/account_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>

namespace nspawn {

namespace {

constexpr size_t kMaxGroups = 65536; // NGROUPS_MAX of the kernel

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<UserRecord> record_of(std::span<const std::string_view, 7> fields) {
    const auto uid = parse_account_id(fields[2]);
    const auto gid = parse_account_id(fields[3]);
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
    for_each_account<7>(passwd, [&](std::span<const std::string_view, 7> fields) {
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
    for_each_account<4>(group, [&](std::span<const std::string_view, 4> fields) {
        const auto gid = parse_account_id(fields[2]);
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
    Result<std::string> content = read_file_in_root(tree, path, kMaxAccountFile);
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
        const auto uid = parse_account_id(user);
        if (!uid) {
            throw Error(fmt::format("--user={}: not a user id (0 to 4294967294, without 65535)", user));
        }
        record = first_entry(passwd, [&](auto fields) { return parse_account_id(fields[2]) == uid; });
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
