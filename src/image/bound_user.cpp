#include "image/bound_user.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/path.hpp"
#include "image/account_file.hpp"
#include "linux/program_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include <fcntl.h>

namespace nspawn {

namespace {

// systemd-nspawn(1): ids of bound users in the container.
constexpr uint32_t kFirstId = 60514;
constexpr uint32_t kLastBoundId = 60577;
constexpr uint32_t kNobody = 65534;

constexpr size_t kMaxAnswer = size_t{64} * 1024;
constexpr int kPatience = 5'000; // milliseconds

std::optional<BoundUser> read_user(std::string_view passwd, std::string_view name) {
    std::optional<BoundUser> found;
    for_each_account<7>(passwd, [&](std::span<const std::string_view, 7> fields) {
        const auto user = parse_account_id(fields[2]);
        if (fields[0] == name && user) {
            found.emplace();
            found->name = name;
            found->host_user = *user;
            found->real_name = fields[4].substr(0, fields[4].find(','));
            found->home = is_absolute(fields[5]) ? simplified(fields[5]) : "";
            found->shell = is_absolute(fields[6]) ? fields[6] : "";
        }
        return !found;
    });
    return found;
}

std::optional<uint32_t> read_group(std::string_view group, std::string_view name) {
    std::optional<uint32_t> found;
    for_each_account<3>(group, [&](std::span<const std::string_view, 3> fields) {
        // The last field holds the rest: "GID:members".
        if (fields[0] == name) {
            found = parse_account_id(fields[2].substr(0, fields[2].find(':')));
        }
        return !found;
    });
    return found;
}

std::string read_password(std::string_view shadow, std::string_view name) {
    std::string password;
    for_each_account<3>(shadow, [&](std::span<const std::string_view, 3> fields) {
        if (fields[0] == name) {
            password = fields[1];
        }
        return password.empty();
    });
    return password;
}

BoundUser find_host_user(const std::string& name, const AccountFiles& host) {
    std::optional<BoundUser> user = read_user(host.passwd, name);
    if (!user) {
        throw Error(fmt::format("--bind-user={}: the host has no such user", name));
    }
    if (user->host_user == 0 || user->host_user == kNobody) {
        throw Error(fmt::format("--bind-user={}: root and nobody cannot be bound", name));
    }
    const auto group = read_group(host.group, name);
    if (!group) {
        throw Error(fmt::format("--bind-user={}: the host has no group of the same name", name));
    }
    if (user->home.empty()) {
        throw Error(fmt::format("--bind-user={}: the user has no home directory", name));
    }
    user->host_group = *group;
    user->password = read_password(host.shadow, name);
    return std::move(*user);
}

class TreeAccounts {
public:
    explicit TreeAccounts(const AccountFiles& tree) {
        for (const std::string* file : {&tree.passwd, &tree.group}) {
            for_each_account<3>(*file, [&](std::span<const std::string_view, 3> fields) {
                names_.emplace_back(fields[0]);
                if (const auto id = parse_account_id(fields[2].substr(0, fields[2].find(':')))) {
                    ids_.push_back(*id);
                }
                return true;
            });
        }
    }

    void refuse_name(const std::string& name) const {
        if (std::ranges::find(names_, name) != names_.end()) {
            throw Error(fmt::format("--bind-user={}: the tree has a user or group of that name already", name))
                .with_code(EBUSY);
        }
    }

    uint32_t take_id(const std::string& name) {
        for (uint32_t id = kFirstId; id <= kLastBoundId; ++id) {
            if (std::ranges::find(ids_, id) == ids_.end()) {
                ids_.push_back(id);
                return id;
            }
        }
        throw Error(
            fmt::format("--bind-user={}: no id from {} to {} is free in the tree", name, kFirstId, kLastBoundId))
            .with_code(EBUSY);
    }

private:
    std::vector<std::string> names_;
    std::vector<uint32_t> ids_;
};

// A file that cannot be read knows nobody; for shadow(5) that is the usual case.
std::string read_accounts(int root, const char* path) {
    return read_file_in_root(root, path, kMaxAccountFile).value_or("");
}

// Users of a directory service are in no file of the host.
void ask_for_missing(AccountFiles& host, const std::string& name) {
    const auto ask = [&](const char* database, std::string& file) {
        const Result<ProgramOutput> answer = read_program({"/usr/bin/getent", database, name}, kMaxAnswer, kPatience);
        if (answer.ok() && answer.value().status == 0) {
            file.append("\n").append(answer.value().text);
        }
    };
    if (!read_user(host.passwd, name)) {
        ask("passwd", host.passwd);
        ask("shadow", host.shadow);
    }
    if (!read_group(host.group, name)) {
        ask("group", host.group);
    }
}

IdRanges with_place_for(const IdRanges& ranges, uint32_t inside, uint32_t outside) {
    IdRanges result;
    for (const IdRange& range : ranges) {
        if (inside < range.inside || inside - range.inside >= range.count) {
            result.push_back(range);
            continue;
        }
        const uint32_t before = inside - range.inside;
        const uint32_t after = range.count - before - 1;
        if (before > 0) {
            result.push_back({range.inside, range.outside, before});
        }
        result.push_back({inside, outside, 1});
        if (after > 0) {
            result.push_back({inside + 1, range.outside + before + 1, after});
        }
    }
    if (!id_outside(ranges, inside)) {
        result.push_back({inside, outside, 1});
    }
    return result;
}

} // namespace

std::vector<BoundUser> choose_bound_users(const std::vector<std::string>& names, const AccountFiles& host,
                                          const AccountFiles& tree) {
    TreeAccounts accounts(tree);
    std::vector<BoundUser> users;
    for (const std::string& name : names) {
        if (std::ranges::any_of(users, [&](const BoundUser& user) { return user.name == name; })) {
            continue;
        }
        accounts.refuse_name(name);
        BoundUser user = find_host_user(name, host);
        user.id = accounts.take_id(name);
        users.push_back(std::move(user));
    }
    return users;
}

std::vector<BoundUser> find_bound_users(const std::vector<std::string>& names, int tree) {
    if (names.empty()) {
        return {};
    }
    const UniqueFd root = open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY).or_throw("/");
    AccountFiles host{read_accounts(root.get(), "etc/passwd"), read_accounts(root.get(), "etc/group"),
                      read_accounts(root.get(), "etc/shadow")};
    for (const std::string& name : names) {
        ask_for_missing(host, name);
    }
    return choose_bound_users(names, host, {read_accounts(tree, "etc/passwd"), read_accounts(tree, "etc/group"), ""});
}

void map_bound_users(IdMap& map, const std::vector<BoundUser>& users) {
    for (const BoundUser& user : users) {
        if (id_inside(map.users, user.host_user) || id_inside(map.groups, user.host_group)) {
            throw Error(fmt::format("--bind-user={}: the container has the host's ids {} or {} as its own already",
                                    user.name, user.host_user, user.host_group),
                        "Choose another range with --private-users=.");
        }
        map.users = with_place_for(map.users, user.id, user.host_user);
        map.groups = with_place_for(map.groups, user.id, user.host_group);
    }
}

} // namespace nspawn
