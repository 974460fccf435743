#include "plan/bound_user_records.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

namespace nspawn {

namespace {

constexpr const char* kService = "io.systemd.NSpawn";

std::string shell_of(const BoundUser& user, const Config& config) {
    if (!config.bind_user_shell_path.empty()) {
        return config.bind_user_shell_path;
    }
    return config.bind_user_shell ? user.shell : "";
}

std::string user_record(const BoundUser& user, const Config& config) {
    Json record = Json::object({{"userName", user.name}, {"uid", user.id}, {"gid", user.id}});
    if (!user.real_name.empty()) {
        record.set("realName", user.real_name);
    }
    record.set("disposition", "regular").set("homeDirectory", bound_home(user));
    if (const std::string shell = shell_of(user, config); !shell.empty()) {
        record.set("shell", shell);
    }
    if (!config.bind_user_groups.empty()) {
        record.set("memberOf", config.bind_user_groups);
    }
    return record.set("service", kService).dump(false);
}

std::string group_record(const BoundUser& user) {
    return Json::object({{"groupName", user.name}, {"gid", user.id}, {"disposition", "regular"}, {"service", kService}})
        .dump(false);
}

std::string password_record(const BoundUser& user) {
    return Json::object({{"privileged", Json::object({{"hashedPassword", std::vector{user.password}}})}}).dump(false);
}

class Records {
public:
    explicit Records(std::vector<Operation>& operations) : operations_(operations) {}

    // Found by name, and through a link by number.
    void add(const std::string& name, uint32_t id, const char* suffix, mode_t mode, std::string content) {
        const std::string file = fmt::format("{}.{}", name, suffix);
        operations_.push_back(MakeFile{fmt::format("{}/{}", kUserRecords, file), mode, std::move(content) + "\n"});
        operations_.push_back(MakeSymlink{fmt::format("{}/{}.{}", kUserRecords, id, suffix), file});
    }

private:
    std::vector<Operation>& operations_;
};

} // namespace

std::string bound_home(const BoundUser& user) { return fmt::format("{}/{}", kBoundHomes, user.name); }

std::vector<Operation> bound_user_records(const std::vector<BoundUser>& users, const Config& config) {
    std::vector<Operation> operations;
    if (users.empty()) {
        return operations;
    }
    operations.push_back(MakeDirectory{kBoundHomes, 0755});
    operations.push_back(MakeDirectory{kUserRecords, 0755});
    Records records(operations);
    for (const BoundUser& user : users) {
        operations.push_back(MakeDirectory{bound_home(user), 0755});
        records.add(user.name, user.id, "user", 0644, user_record(user, config));
        if (!user.password.empty()) {
            records.add(user.name, user.id, "user-privileged", 0600, password_record(user));
        }
        records.add(user.name, user.id, "group", 0644, group_record(user));
    }
    return operations;
}

} // namespace nspawn
