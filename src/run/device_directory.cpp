#include "run/device_directory.hpp"

#include "base/log.hpp"
#include "linux/file_system_user.hpp"
#include "plan/mount_table.hpp"
#include "run/make_entry.hpp"

#include <optional>
#include <string_view>
#include <type_traits>
#include <variant>

namespace nspawn {

namespace {

constexpr std::string_view kBelow = "/dev/";

const MountFileSystem& find_mount(const Plan& plan) {
    for (const OperationGroup& group : plan.groups) {
        for (const Operation& operation : group.operations) {
            const auto* const mount = std::get_if<MountFileSystem>(&operation);
            if (mount != nullptr && mount->target == kDevicePath) {
                return *mount;
            }
        }
    }
    throw Error("the plan has no file system for /dev");
}

template <typename Entry>
constexpr bool kIsEntry = false;
template <>
constexpr bool kIsEntry<MakeDirectory> = true;
template <>
constexpr bool kIsEntry<MakeSymlink> = true;
template <>
constexpr bool kIsEntry<MakeNode> = true;

void make(int directory, const Operation& operation) {
    std::visit(
        [&](const auto& what) {
            using Entry = std::decay_t<decltype(what)>;
            if constexpr (kIsEntry<Entry>) {
                const Result<void> made = make_entry(directory, what.path.c_str() + kBelow.size(), what);
                if constexpr (std::is_same_v<Entry, MakeNode>) {
                    if (!made.ok() && what.importance != Importance::required) {
                        log::warning("{}: {}", what.path, error_text(made.error()));
                        return;
                    }
                }
                made.or_throw(what.path);
            }
        },
        operation);
}

} // namespace

MountFd make_device_directory(const Plan& plan) {
    std::optional<FileSystemUser> creator;
    if (has_private_users(plan)) {
        creator.emplace(root_user_on_host(plan), root_group_on_host(plan));
    }
    const MountFileSystem& what = find_mount(plan);
    std::vector<MountOption> options = what.options;
    options.push_back({"source", what.type}); // as mount(8) would show it
    MountFd mount = MountFd::create(what.type.c_str(), options, what.attributes).or_throw(what.target);
    for (const OperationGroup& group : plan.groups) {
        if (std::string_view(group.stage) != kStageDevices) {
            continue;
        }
        for (const Operation& operation : group.operations) {
            make(mount.get(), operation);
        }
    }
    return mount;
}

bool is_in_device_directory(const Operation& operation) {
    return std::visit(
        [](const auto& what) {
            if constexpr (kIsEntry<std::decay_t<decltype(what)>>) {
                return what.path.starts_with(kBelow);
            }
            return false;
        },
        operation);
}

} // namespace nspawn
