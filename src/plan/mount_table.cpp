#include "plan/mount_table.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/bound_user_records.hpp"
#include "plan/tmpfs_options.hpp"

#include <fmt/format.h>

#include <linux/mount.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr uint64_t kReadOnly = MOUNT_ATTR_RDONLY;
constexpr uint64_t kNoSuid = MOUNT_ATTR_NOSUID;
constexpr uint64_t kNoDev = MOUNT_ATTR_NODEV;
constexpr uint64_t kNoExec = MOUNT_ATTR_NOEXEC;
constexpr uint64_t kStrictAtime = MOUNT_ATTR_STRICTATIME;
constexpr uint64_t kSealed = kReadOnly | kNoSuid | kNoDev | kNoExec;

// Masked by an empty node without permissions: each tells of, or reaches into, the host's kernel.
constexpr const char* kMasked[] = {"/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/sysrq-trigger",
                                   "/proc/timer_list"};
// Shown read-only. /proc/sys is apart: it must exist.
constexpr const char* kReadOnlyProc[] = {"/proc/acpi", "/proc/apm", "/proc/asound", "/proc/bus",
                                         "/proc/fs",   "/proc/irq", "/proc/scsi"};

constexpr struct {
    const char* path;
    const char* target;
} kDeviceLinks[] = {
    {"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"}, {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"}, {"/dev/core", "/proc/kcore"},      {"/dev/ptmx", "pts/ptmx"},
};

class MountTable {
public:
    MountTable(Plan& plan, const MountTableInput& input) : plan_(plan), input_(input) {}

    void build() {
        plan_.volatile_options = owned(tmpfs_options("0755", "25%", "1m"));
        plan_.devpts_options = {
            {"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", std::to_string(terminal_group())}};
        add_context(plan_.devpts_options);
        plan_.unix_export_options = owned(tmpfs_options("0755", "4m", "64"));
        begin(kStageProc).push_back(MountFileSystem{"proc", "/proc", {}, kNoSuid | kNoDev | kNoExec});
        api_file_systems();
        devices();
        host_directory();
        masks();
        control_groups();
        custom_mounts();
        incoming();
    }

private:
    std::vector<Operation>& begin(const char* stage) {
        plan_.groups.push_back({stage, {}});
        return plan_.groups.back().operations;
    }

    [[nodiscard]] ApiVfsWritable api_vfs() const {
        return input_.switches.api_vfs_writable.value_or(plan_.private_network ? ApiVfsWritable::network
                                                                               : ApiVfsWritable::no);
    }

    void add_context(std::vector<MountOption>& options) const {
        if (!input_.config.selinux_apifs_context.empty()) {
            options.push_back({"context", input_.config.selinux_apifs_context});
        }
    }

    [[nodiscard]] std::vector<MountOption> tmpfs_options(const char* mode, const char* size, const char* inodes) const {
        std::vector<MountOption> options = {{"mode", mode}, {"size", size}, {"nr_inodes", inodes}};
        add_context(options);
        return options;
    }

    // For what the supervisor mounts: what the child mounts is the container root's by itself.
    [[nodiscard]] std::vector<MountOption> owned(std::vector<MountOption> options) const {
        if (has_private_users(plan_)) {
            options.push_back({"uid", std::to_string(root_user_on_host(plan_))});
            options.push_back({"gid", std::to_string(root_group_on_host(plan_))});
        }
        return options;
    }

    // C.2: group 5 is "tty" on every distribution.
    [[nodiscard]] uint32_t terminal_group() const {
        constexpr uint32_t kTerminalGroup = 5;
        return has_private_users(plan_)
                   ? id_outside(plan_.id_map.groups, kTerminalGroup).value_or(root_group_on_host(plan_))
                   : kTerminalGroup;
    }

    [[nodiscard]] Operation system_file_system() const {
        if (input_.host.nested && !plan_.private_network) {
            // Another one of a network that is not ours is not to be had; the one here shows it.
            return BindFromHost{.source = "/sys", .target = "/sys", .attributes = kSealed, .recursive = true};
        }
        switch (api_vfs()) {
        case ApiVfsWritable::yes:
            return MountFileSystem{"sysfs", "/sys", {}, kNoSuid | kNoDev | kNoExec};
        case ApiVfsWritable::no:
            break;
        case ApiVfsWritable::network:
            return small_system_file_system();
        }
        return MountFileSystem{"sysfs", "/sys", {}, kSealed};
    }

    // Without firmware, modules, power and the other parts that tell of the host's hardware and kernel.
    [[nodiscard]] MountParts small_system_file_system() const {
        MountParts small{.type = "sysfs",
                         .target = "/sys",
                         .options = tmpfs_options("0555", "4m", "1k"),
                         .attributes = kSealed,
                         .parts = {"block", "bus", "class", "dev", "devices", "kernel"},
                         .directories = {"fs", "fs/cgroup"}};
        if (input_.host.selinux) {
            small.directories.emplace_back("fs/selinux");
        }
        return small;
    }

    void api_file_systems() {
        auto& add = begin(kStageApiFileSystems);
        add.push_back(system_file_system());
        if (input_.host.selinux) {
            add.push_back(BindFromHost{.source = "/sys/fs/selinux",
                                       .target = "/sys/fs/selinux",
                                       .attributes = kReadOnly,
                                       .importance = Importance::if_present});
        }
        add.push_back(
            MountFileSystem{"tmpfs", kDevicePath, tmpfs_options("0755", "4m", "64k"), kNoSuid | kStrictAtime});
        add.push_back(
            MountFileSystem{"tmpfs", "/run", tmpfs_options("0755", "20%", "800k"), kNoSuid | kNoDev | kStrictAtime});
        if (input_.switches.tmpfs_tmp) {
            add.push_back(MountFileSystem{.type = "tmpfs",
                                          .target = "/tmp",
                                          .options = tmpfs_options("01777", "10%", "400k"),
                                          .attributes = kNoSuid | kNoDev | kStrictAtime,
                                          .importance = Importance::optional,
                                          .keep_existing_mount = true});
        }
    }

    void devices() {
        auto& add = begin(kStageDevices);
        add.push_back(MakeDirectory{"/dev/shm", 01777});
        add.push_back(MountFileSystem{"tmpfs", "/dev/shm", tmpfs_options("01777", "10%", "400k"),
                                      kNoSuid | kNoDev | kStrictAtime});
        add.push_back(MakeDirectory{"/dev/mqueue", 0755});
        add.push_back(MountFileSystem{"mqueue", "/dev/mqueue", {}, kNoSuid | kNoDev | kNoExec});
        add.push_back(MakeDirectory{"/dev/net", 0755});
        add.push_back(MakeDirectory{"/dev/char", 0755});
        for (const HostDevice& device : input_.host.devices) {
            device_node(add, device);
        }
        bundle_devices(add);
        for (const auto& link : kDeviceLinks) {
            add.push_back(MakeSymlink{link.path, link.target});
        }
        add.push_back(MakeDirectory{"/dev/pts", 0755});
        if (!supervisor_makes_devpts(plan_)) {
            add.push_back(MountFileSystem{"devpts", "/dev/pts", plan_.devpts_options, plan_.devpts_attributes});
        }
    }

    // Of an OCI bundle. One of ours that it names once more is made as it says.
    void bundle_devices(std::vector<Operation>& add) const {
        if (!plan_.oci) {
            return;
        }
        for (const OciDevice& device : plan_.oci->devices) {
            std::erase_if(add, [&](const Operation& operation) {
                const auto* const node = std::get_if<MakeNode>(&operation);
                return node != nullptr && node->path == device.path;
            });
            add.push_back(MakeNode{.path = device.path,
                                   .mode = device.mode,
                                   .major = device.major,
                                   .minor = device.minor,
                                   .importance = Importance::required,
                                   .uid = device.uid,
                                   .gid = device.gid});
        }
    }

    void device_node(std::vector<Operation>& add, const HostDevice& device) const {
        const std::string path = "/dev/" + device.name;
        const Importance importance = device.required ? Importance::required : Importance::optional;
        if (input_.host.can_make_nodes) {
            add.push_back(MakeNode{path, device.mode, device.major, device.minor, importance});
        } else {
            add.push_back(
                BindFromHost{.source = path, .target = path, .importance = importance, .create_target_file = true});
        }
        add.push_back(MakeSymlink{"/dev/char/" + std::to_string(device.major) + ":" + std::to_string(device.minor),
                                  "../" + device.name});
    }

    void host_directory() {
        auto& add = begin(kStageHostDirectory);
        add.push_back(MakeDirectory{"/run/host", 0755});
        add.push_back(MakeDirectory{kInaccessiblePath, 0755});
        add.push_back(MakeNode{kMaskNode, S_IFREG});
        add.push_back(MakeDirectory{"/run/host/inaccessible/dir", 0});
        add.push_back(MakeNode{"/run/host/inaccessible/fifo", S_IFIFO});
        add.push_back(MakeNode{"/run/host/inaccessible/sock", S_IFSOCK});
        if (input_.host.can_make_nodes) {
            // 0:0 belongs to no driver: opening it can only fail.
            add.push_back(MakeNode{"/run/host/inaccessible/chr", S_IFCHR, 0, 0, Importance::optional});
            add.push_back(MakeNode{"/run/host/inaccessible/blk", S_IFBLK, 0, 0, Importance::optional});
        }
        add.push_back(MakeFile{"/run/host/container-manager", 0444, plan_.payload.container_service + "\n"});
        add.push_back(MakeFile{"/run/host/container-uuid", 0444, plan_.uuid.uuid() + "\n"});
        if (!input_.host.os_release_path.empty()) {
            add.push_back(MakeNode{"/run/host/os-release", S_IFREG | 0444});
        }
        add.push_back(MakeDirectory{kIncomingPath, 0600});
        if (!plan_.credentials.empty()) {
            add.push_back(MakeDirectory{kCredentialsPath, 0755});
        }
        if (!plan_.unix_export.empty()) {
            add.push_back(MakeDirectory{kUnixExportPath, 0755});
        }

        const std::vector<Operation> records = bound_user_records(input_.image.bound_users, input_.config);
        add.insert(add.end(), records.begin(), records.end());

        // Separate, so that the notification socket can be bound between the two.
        auto& seal = begin(kStageSealHostDirectory);
        seal.push_back(BindInside{"/run/host", "/run/host", kSealed});
        if (!input_.host.os_release_path.empty()) {
            seal.push_back(BindFromHost{.source = input_.host.os_release_path,
                                        .target = "/run/host/os-release",
                                        .attributes = kSealed,
                                        .importance = Importance::optional});
        }
        if (!plan_.unix_export.empty()) {
            seal.push_back(BindFromHost{.source = plan_.unix_export,
                                        .target = kUnixExportPath,
                                        .attributes = kUnixExportAttributes,
                                        .cleared = kReadOnly});
        }
    }

    void custom_mounts() {
        std::vector<CustomMount> mounts = input_.config.custom_mounts;
        for (const BoundUser& user : input_.image.bound_users) {
            CustomMount home;
            home.destination = bound_home(user);
            home.sources.push_back({user.home, false});
            mounts.push_back(std::move(home));
        }
        if (mounts.empty()) {
            return;
        }
        auto& add = begin(kStageCustomMounts);
        sort_custom_mounts(mounts);
        for (CustomMount& mount : mounts) {
            if (mount.destination != "/") { // that one is the tree itself
                add.push_back(custom_mount(std::move(mount)));
            }
        }
    }

    [[nodiscard]] MountCustom custom_mount(CustomMount&& mount) const {
        MountCustom operation;
        switch (mount.kind) {
        case CustomMountKind::bind:
        case CustomMountKind::overlay:
            operation.attributes = mount.change.set | (mount.read_only ? kReadOnly : 0);
            operation.cleared = mount.change.clear;
            if (mount.propagation == Propagation::shared && has_private_users(plan_)) {
                throw Error(fmt::format("{}: 'shared' cannot be had with private users: the kernel lets none of "
                                        "their mounts reach the host",
                                        mount.destination));
            }
            break;
        case CustomMountKind::tmpfs: {
            TmpfsOptions options = split_tmpfs_options(mount.options);
            operation.options = std::move(options.options);
            operation.attributes = options.attributes;
            for (MountOption& option : operation.options) {
                make_ids_of_host(option, plan_.id_map, "--tmpfs");
            }
            add_context(operation.options);
            break;
        }
        case CustomMountKind::inaccessible:
            operation.attributes = kSealed;
            break;
        }
        operation.what = std::move(mount);
        return operation;
    }

    // The supervisor makes its source while the child is at work on the rest.
    void incoming() {
        auto& add = begin(kStageIncoming);
        if (!input_.host.propagate_directory.empty()) {
            add.push_back(BindFromHost{.source = input_.host.propagate_directory,
                                       .target = kIncomingPath,
                                       .attributes = kReadOnly,
                                       .importance = Importance::optional,
                                       .receive_mounts = true});
        }
    }

    void masks() {
        auto& add = begin(kStageMasks);
        if (api_vfs() == ApiVfsWritable::yes) {
            return;
        }
        add.push_back(BindInside{"/proc/sys", "/proc/sys", kSealed});
        if (api_vfs() == ApiVfsWritable::network) {
            add.push_back(BindInside{.source = "/proc/sys/net",
                                     .target = "/proc/sys/net",
                                     .attributes = kSealed & ~kReadOnly,
                                     .cleared = kReadOnly});
        }
        for (const char* path : kReadOnlyProc) {
            add.push_back(BindInside{
                .source = path, .target = path, .attributes = kSealed, .importance = Importance::if_present});
        }
        for (const char* path : kMasked) {
            add.push_back(BindInside{.source = kMaskNode,
                                     .target = path,
                                     .attributes = kSealed,
                                     .importance = Importance::if_present,
                                     .mask = true});
        }
    }

    void control_groups() {
        auto& add = begin(kStageControlGroups);
        switch (plan_.container_cgroups) {
        case CgroupLayout::none:
            return;
        case CgroupLayout::unified:
            add.push_back(MountFileSystem{"cgroup2", "/sys/fs/cgroup", {}, kNoSuid | kNoDev | kNoExec});
            return;
        case CgroupLayout::legacy:
        case CgroupLayout::hybrid:
            legacy_control_groups(add);
            return;
        }
    }

    // v1: a tmpfs with one mount per hierarchy, all read-only but the one that systemd keeps its units in.
    void legacy_control_groups(std::vector<Operation>& add) const {
        add.push_back(MountFileSystem{"tmpfs", "/sys/fs/cgroup", tmpfs_options("0755", "4m", "1k"),
                                      kNoSuid | kNoDev | kNoExec | kStrictAtime});
        for (const std::string& hierarchy : input_.host.legacy_controllers) {
            const std::string target = "/sys/fs/cgroup/" + hierarchy;
            const bool named = hierarchy == "systemd";
            std::vector<MountOption> options;
            if (named) {
                options = {{"none", ""}, {"name", "systemd"}};
            } else {
                for (const std::string_view controller : split_any(hierarchy, ",")) {
                    options.push_back({std::string(controller), ""});
                }
            }
            add.push_back(MakeDirectory{target, 0755});
            add.push_back(MountFileSystem{"cgroup", target, std::move(options),
                                          (named ? 0 : kReadOnly) | kNoSuid | kNoDev | kNoExec, Importance::optional});
        }
    }

    Plan& plan_;
    const MountTableInput& input_;
};

} // namespace

void make_ids_of_host(MountOption& option, const IdMap& map, std::string_view whose) {
    const bool user = option.name == "uid";
    const auto inside = user || option.name == "gid" ? parse_unsigned(option.value) : std::nullopt;
    if (!inside || *inside > kLastId || map.empty()) {
        return; // the kernel says what is wrong with it
    }
    const auto outside = id_outside(user ? map.users : map.groups, static_cast<uint32_t>(*inside));
    if (!outside) {
        throw Error(fmt::format("{}: {}={} is no id of the container", whose, option.name, option.value));
    }
    option.value = std::to_string(*outside);
}

void plan_mounts(Plan& plan, const MountTableInput& input) { MountTable(plan, input).build(); }

} // namespace nspawn
