#include "plan/mount_table.hpp"
#include "plan/plan.hpp"
#include "sample_input.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <linux/mount.h>
#include <linux/sched.h>

namespace nspawn {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

template <typename Kind>
std::vector<Kind> operations_of(const Plan& plan) {
    std::vector<Kind> found;
    for (const OperationGroup& group : plan.groups) {
        for (const Operation& operation : group.operations) {
            if (const auto* what = std::get_if<Kind>(&operation)) {
                found.push_back(*what);
            }
        }
    }
    return found;
}

const MountFileSystem* mount_at(const std::vector<MountFileSystem>& mounts, std::string_view target) {
    const auto found =
        std::find_if(mounts.begin(), mounts.end(), [&](const auto& mount) { return mount.target == target; });
    return found == mounts.end() ? nullptr : &*found;
}

TEST(Namespaces, AllByDefaultButNetworkAndUser) {
    EXPECT_EQ(SampleInput().plan().namespaces,
              static_cast<uint64_t>(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWCGROUP));
}

TEST(Namespaces, EachShareSwitchLeavesOneOut) {
    SampleInput input;
    input.switches.share_ipc = input.switches.share_pid = input.switches.share_uts = true;
    input.switches.use_cgroup_namespace = false;
    EXPECT_EQ(input.plan().namespaces, static_cast<uint64_t>(CLONE_NEWNS));
}

TEST(Namespaces, PrivateUsersAndNetworkHaveTheirOwn) {
    SampleInput input;
    input.config.network.is_private = true;
    EXPECT_EQ(input.plan().namespaces & (CLONE_NEWNET | CLONE_NEWUSER), static_cast<uint64_t>(CLONE_NEWNET));
    input.image.id_map = shifted_id_map(524288);
    const Plan plan = input.plan();
    EXPECT_EQ(plan.namespaces & (CLONE_NEWNET | CLONE_NEWUSER), static_cast<uint64_t>(CLONE_NEWNET | CLONE_NEWUSER));
    EXPECT_EQ(root_user_on_host(plan), 524288U);
}

TEST(PrivateUsers, HaveAllCapabilitiesOverThemselves) {
    SampleInput input;
    input.host.capabilities = 0;
    input.host.all_capabilities = capability_mask(CAP_LAST_CAP + 1) - 1;
    input.image.id_map = shifted_id_map(524288);
    const Plan plan = input.plan();
    EXPECT_EQ(plan.capabilities.bounding, kDefaultRetainedCapabilities);
    EXPECT_EQ(plan.capabilities.missing, 0U);
}

TEST(PrivateUsers, OwnWhatTheSupervisorMounts) {
    SampleInput input;
    input.image.id_map = shifted_id_map(524288);
    const Plan plan = input.plan();
    const auto has = [](const std::vector<MountOption>& options, std::string_view name, std::string_view value) {
        return std::any_of(options.begin(), options.end(),
                           [&](const MountOption& option) { return option.name == name && option.value == value; });
    };
    EXPECT_TRUE(has(plan.devpts_options, "gid", "524293")) << "the container's tty group";
    EXPECT_TRUE(has(plan.volatile_options, "uid", "524288"));
    EXPECT_TRUE(has(plan.unix_export_options, "gid", "524288"));
    EXPECT_EQ(mount_at(operations_of<MountFileSystem>(plan), "/dev/pts"), nullptr) << "made by the supervisor";
}

TEST(PrivateNetwork, ShowsOnlyItsOwnPartOfTheKernel) {
    SampleInput input;
    input.config.network.is_private = true;
    const Plan plan = input.plan();
    ASSERT_EQ(operations_of<MountParts>(plan).size(), 1U);
    EXPECT_EQ(operations_of<MountParts>(plan).front().target, "/sys");
    const auto binds = operations_of<BindInside>(plan);
    EXPECT_TRUE(std::any_of(binds.begin(), binds.end(), [](const BindInside& bind) {
        return bind.target == "/proc/sys/net" && (bind.attributes & MOUNT_ATTR_RDONLY) == 0;
    }));
    EXPECT_TRUE(has_capability(plan.capabilities.bounding, CAP_NET_ADMIN));
}

TEST(Nested, TheSystemFileSystemOfAForeignNetworkIsTheOneHere) {
    SampleInput input;
    input.host.nested = true;
    const auto binds = operations_of<BindFromHost>(input.plan());
    EXPECT_TRUE(std::any_of(binds.begin(), binds.end(), [](const BindFromHost& bind) {
        return bind.target == "/sys" && bind.recursive && (bind.attributes & MOUNT_ATTR_RDONLY) != 0;
    }));
    input.config.network.is_private = true;
    EXPECT_EQ(operations_of<MountParts>(input.plan()).size(), 1U);
}

TEST(Capabilities, DefaultPlusMinus) {
    SampleInput input;
    input.config.capability = capability_mask(CAP_SYS_TIME);
    input.config.drop_capability = capability_mask(CAP_KILL, CAP_SYS_ADMIN);
    const CapabilityMask bounding = input.plan().capabilities.bounding;
    EXPECT_TRUE(has_capability(bounding, CAP_SYS_TIME));
    EXPECT_FALSE(has_capability(bounding, CAP_KILL));
    EXPECT_FALSE(has_capability(bounding, CAP_SYS_ADMIN));
    EXPECT_FALSE(has_capability(bounding, CAP_NET_ADMIN)) << "the network is shared";
}

TEST(Capabilities, MissingOnesAreNamedAndLeftOut) {
    SampleInput input;
    input.host.capabilities &= ~capability_mask(CAP_SYS_RESOURCE);
    const Plan plan = input.plan();
    EXPECT_FALSE(has_capability(plan.capabilities.bounding, CAP_SYS_RESOURCE));
    EXPECT_THAT(plan.notices, Contains(HasSubstr("CAP_SYS_RESOURCE")));
}

TEST(Capabilities, AmbientStaysWithinTheBoundingSet) {
    SampleInput input;
    input.config.ambient_capability = capability_mask(CAP_KILL, CAP_SYS_BOOT);
    input.config.drop_capability = capability_mask(CAP_SYS_BOOT);
    EXPECT_EQ(input.plan().capabilities.ambient, capability_mask(CAP_KILL));
}

TEST(Filter, FollowsTheCapabilitiesAndCanBeTurnedOff) {
    SampleInput input;
    const Plan plan = input.plan();
    ASSERT_TRUE(plan.filter);
    EXPECT_EQ(plan.filter->retained, plan.capabilities.bounding);
    input.switches.seccomp = false;
    EXPECT_FALSE(input.plan().filter);
}

TEST(Filter, TerminalInjectionIsForbiddenOnlyOnTheCallersTerminal) {
    SampleInput input;
    EXPECT_FALSE(input.plan().filter->forbid_terminal_injection);
    input.host.stdio_has_terminal = true;
    EXPECT_TRUE(input.plan().filter->forbid_terminal_injection);
    input.config.console = ConsoleMode::interactive;
    EXPECT_FALSE(input.plan().filter->forbid_terminal_injection);
}

TEST(Environment, OrderOfTheManual) {
    SampleInput input;
    input.config.environment = {{"TERM", "dumb"}, {"NEW", "1"}, {"LANG", std::nullopt}};
    EXPECT_THAT(payload_environment(input.plan(), root_user()),
                ElementsAre("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                            "container=systemd-nspawn", "TERM=dumb", "HOME=/root", "USER=root", "LOGNAME=root",
                            "container_uuid=01234567-89ab-cdef-0123-456789abcdef", "NOTIFY_SOCKET=/run/host/notify",
                            "container_host_id=debian", "container_host_version_id=12", "NEW=1"));
}

TEST(Environment, BootSetsNoLanguageAndSocketsNameTheirReader) {
    SampleInput input;
    input.config.start_mode = StartMode::boot;
    input.host.listen_fds = 2;
    auto environment = payload_environment(input.plan(), root_user());
    EXPECT_THAT(environment, Not(Contains("LANG=C.UTF-8")));
    EXPECT_THAT(environment, Contains("LISTEN_FDS=2"));
    EXPECT_THAT(environment, Contains("LISTEN_PID=1"));
    input.config.start_mode = StartMode::pid2;
    EXPECT_THAT(payload_environment(input.plan(), root_user()), Contains("LISTEN_PID=2"));
}

TEST(Environment, CredentialsHaveADirectory) {
    SampleInput input;
    input.config.credentials = {{"key", "value"}};
    EXPECT_THAT(payload_environment(input.plan(), root_user()),
                Contains("CREDENTIALS_DIRECTORY=/run/host/credentials"));
}

TEST(MachineId, ImageBeatsOptionBeatsRandom) {
    SampleInput input;
    input.config.uuid = Id128::parse("ffffffffffffffffffffffffffffffff");
    EXPECT_EQ(input.plan().uuid, *input.image.machine_id);
    input.image.machine_id.reset();
    EXPECT_EQ(input.plan().uuid, *input.config.uuid);
    input.config.uuid.reset();
    EXPECT_FALSE(input.plan().uuid.is_null());
}

TEST(Mounts, ApiFileSystemsHaveTheManualsFlags) {
    const auto mounts = operations_of<MountFileSystem>(SampleInput().plan());
    const uint64_t no = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    ASSERT_NE(mount_at(mounts, "/proc"), nullptr);
    EXPECT_EQ(mount_at(mounts, "/proc")->attributes, no);
    EXPECT_EQ(mount_at(mounts, "/sys")->attributes, no | MOUNT_ATTR_RDONLY);
    EXPECT_EQ(mount_at(mounts, "/dev")->attributes, static_cast<uint64_t>(MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME));
    EXPECT_EQ(mount_at(mounts, "/sys/fs/cgroup")->type, "cgroup2");
    EXPECT_TRUE(mount_at(mounts, "/tmp")->keep_existing_mount);
}

TEST(Mounts, WithAWritableNetworkTheSystemFileSystemIsSmall) {
    SampleInput input;
    EXPECT_THAT(operations_of<MountParts>(input.plan()), IsEmpty());
    input.switches.api_vfs_writable = ApiVfsWritable::network;
    EXPECT_EQ(mount_at(operations_of<MountFileSystem>(input.plan()), "/sys"), nullptr);
    const auto small = operations_of<MountParts>(input.plan());
    ASSERT_EQ(small.size(), 1U);
    EXPECT_EQ(small[0].target, "/sys");
    EXPECT_THAT(small[0].parts, ElementsAre("block", "bus", "class", "dev", "devices", "kernel"));
    EXPECT_THAT(small[0].directories, ElementsAre("fs", "fs/cgroup"));
    input.host.selinux = true;
    EXPECT_THAT(operations_of<MountParts>(input.plan())[0].directories, ElementsAre("fs", "fs/cgroup", "fs/selinux"));
}

TEST(Mounts, TmpCanBeLeftOut) {
    SampleInput input;
    input.switches.tmpfs_tmp = false;
    EXPECT_EQ(mount_at(operations_of<MountFileSystem>(input.plan()), "/tmp"), nullptr);
}

TEST(Mounts, EveryTmpfsCarriesTheSelinuxContext) {
    SampleInput input;
    input.config.selinux_apifs_context = "system_u:object_r:container_file_t:s0";
    const Plan plan = input.plan();
    for (const MountFileSystem& mount : operations_of<MountFileSystem>(plan)) {
        if (mount.type == "tmpfs") {
            EXPECT_EQ(mount.options.back().name, "context") << mount.target;
        }
    }
    EXPECT_EQ(plan.devpts_options.back().name, "context");
    EXPECT_EQ(plan.unix_export_options.back().name, "context");
}

TEST(Mounts, KernelInterfacesAreMaskedUnlessTheyAreMeantToBeWritable) {
    SampleInput input;
    const auto masked = [](const Plan& plan) {
        std::vector<std::string> targets;
        for (const BindInside& bind : operations_of<BindInside>(plan)) {
            if (bind.mask) {
                EXPECT_EQ(bind.importance, Importance::if_present);
                targets.push_back(bind.target);
            }
        }
        return targets;
    };
    EXPECT_THAT(masked(input.plan()),
                ElementsAre("/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/proc/timer_list"));
    input.switches.api_vfs_writable = ApiVfsWritable::yes;
    EXPECT_THAT(masked(input.plan()), ElementsAre());
}

TEST(Mounts, OnlyASystemThatBootsExportsItsSockets) {
    SampleInput input;
    const auto exported = [](const Plan& plan) {
        std::vector<BindFromHost> binds = operations_of<BindFromHost>(plan);
        std::erase_if(binds, [](const BindFromHost& bind) { return bind.target != kUnixExportPath; });
        return binds;
    };
    EXPECT_EQ(input.plan().unix_export, "");
    EXPECT_THAT(exported(input.plan()), IsEmpty());
    input.config.start_mode = StartMode::boot;
    EXPECT_EQ(input.plan().unix_export, input.host.unix_export_directory);
    ASSERT_EQ(exported(input.plan()).size(), 1U);
    EXPECT_EQ(exported(input.plan())[0].cleared, static_cast<uint64_t>(MOUNT_ATTR_RDONLY));
    EXPECT_NE(exported(input.plan())[0].attributes & MOUNT_ATTR_NOSYMFOLLOW, 0U);
}

TEST(Mounts, NodesAreBoundWhereTheyCannotBeMade) {
    SampleInput input;
    input.host.can_make_nodes = false;
    const auto binds = operations_of<BindFromHost>(input.plan());
    const auto null_node =
        std::find_if(binds.begin(), binds.end(), [](const auto& bind) { return bind.target == "/dev/null"; });
    ASSERT_NE(null_node, binds.end());
    EXPECT_TRUE(null_node->create_target_file);
    EXPECT_EQ(null_node->importance, Importance::required);
}

TEST(Cgroups, OldSystemdOnAHybridHostGetsTheOldLayout) {
    SampleInput input;
    input.host.cgroups = CgroupLayout::hybrid;
    EXPECT_EQ(input.plan().container_cgroups, CgroupLayout::unified);
    input.image.systemd_version = 219;
    EXPECT_EQ(input.plan().container_cgroups, CgroupLayout::legacy);
    input.image.systemd_version = 252;
    EXPECT_EQ(input.plan().container_cgroups, CgroupLayout::unified);
    input.switches.unified_hierarchy = false;
    EXPECT_EQ(input.plan().container_cgroups, CgroupLayout::legacy);
}

TEST(Volatile, EveryModeMakesTheTreeReadOnly) {
    SampleInput input;
    for (const Volatile mode : {Volatile::yes, Volatile::state, Volatile::overlay}) {
        input.config.volatile_mode = mode;
        EXPECT_TRUE(input.plan().read_only);
        EXPECT_NE(input.plan().root, RootKind::tree);
    }
}

TEST(User, UnknownNamesAreAskedForInside) {
    SampleInput input;
    input.config.user = "ldap";
    EXPECT_FALSE(input.plan().payload.user.record);
    EXPECT_EQ(input.plan().payload.user.name, "ldap");
}

TEST(Limits, OptionsReplaceTheDefaults) {
    SampleInput input;
    input.config.limits[RLIMIT_NOFILE] = rlimit64{5, 6};
    const Plan plan = input.plan();
    EXPECT_EQ(plan.limits[RLIMIT_NOFILE].rlim_cur, 5U);
    EXPECT_EQ(plan.limits[RLIMIT_CORE].rlim_cur, 1024U);
}

} // namespace
} // namespace nspawn
