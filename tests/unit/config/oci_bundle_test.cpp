// What each part of a bundle's config.json becomes, and what is refused with which words.
#include "base/error.hpp"
#include "config/oci_bundle.hpp"
#include "config/option.hpp"
#include "config/resolve.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/stat.h>

namespace nspawn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

struct Parts {
    std::string process = {}; // further members, each behind a comma
    std::string linux_part = {};
    std::string top = {};
};

std::string text_of(const Parts& parts) {
    return fmt::format(
        R"({{"ociVersion":"1.0.0","root":{{"path":"rootfs"}},)"
        R"("process":{{"args":["/bin/true"],"cwd":"/"{}}},)"
        R"("linux":{{"namespaces":[{{"type":"mount"}},{{"type":"pid"}},{{"type":"ipc"}},{{"type":"uts"}}]{}}}{}}})",
        parts.process, parts.linux_part, parts.top);
}

OciBundle bundle_of(const Parts& parts) { return parse_oci_bundle(text_of(parts), "/bundle"); }

std::string complaint(const Parts& parts) {
    try {
        (void)bundle_of(parts);
    } catch (const Error& error) {
        return error.message();
    }
    return "";
}

Resolved resolved(const Parts& parts, CommandLine line = {}) {
    return resolve(line, bundle_of(parts), Caller{}, EnvironmentSwitches{});
}

TEST(OciBundle, WhatOptionsCanSayBecomesTheirs) {
    const Config config =
        resolved({.process = R"(,"env":["A=1 2"],"noNewPrivileges":true,"oomScoreAdj":7,)"
                             R"("rlimits":[{"type":"RLIMIT_NOFILE","soft":5,"hard":18446744073709551615}])",
                  .top = R"(,"hostname":"web")"})
            .config;
    EXPECT_EQ(config.directory, "/bundle/rootfs");
    EXPECT_THAT(config.words, ElementsAre("/bin/true"));
    EXPECT_EQ(config.hostname, "web");
    EXPECT_EQ(config.environment.at(0).value, "1 2");
    EXPECT_TRUE(config.no_new_privileges);
    EXPECT_EQ(config.oom_score_adjust, 7);
    EXPECT_EQ(config.limits[RLIMIT_NOFILE]->rlim_cur, 5U);
    EXPECT_EQ(config.limits[RLIMIT_NOFILE]->rlim_max, RLIM64_INFINITY);
    EXPECT_EQ(config.resolv_conf.way, HostFileWay::off);
    EXPECT_EQ(config.timezone, HostFileWay::off);
    EXPECT_EQ(config.link_journal, LinkJournal::no);
}

TEST(OciBundle, TheCommandLineCountsMore) {
    CommandLine line;
    const auto say = [&](std::string_view option, std::string value) {
        line.assignments.push_back({.option = find_option(option),
                                    .spelled = "--" + std::string(option),
                                    .value = std::move(value),
                                    .has_value = true,
                                    .origin = {}});
    };
    say("hostname", "line");
    say("capability", "CAP_KILL");
    say("user", "7");
    say("resolv-conf", "copy-host");
    line.words = {"/bin/echo"};
    const Config config = resolved({.process = R"(,"user":{"uid":5,"gid":5},"capabilities":{"bounding":[]})",
                                    .top = R"(,"hostname":"web")"},
                                   line)
                              .config;
    EXPECT_EQ(config.hostname, "line");
    EXPECT_THAT(config.words, ElementsAre("/bin/echo"));
    EXPECT_EQ(config.user, "7");
    EXPECT_FALSE(config.oci->user);
    EXPECT_FALSE(config.oci->capabilities);
    EXPECT_EQ(config.resolv_conf.way, HostFileWay::copy);
}

TEST(OciBundle, CapabilitySetsThatAreLeftOut) {
    const auto sets =
        *bundle_of({.process = R"(,"capabilities":{"bounding":["CAP_KILL","CAP_CHOWN"]})"}).runtime.capabilities;
    EXPECT_EQ(sets.bounding, capability_mask(CAP_KILL, CAP_CHOWN));
    EXPECT_EQ(sets.permitted, sets.bounding);
    EXPECT_EQ(sets.effective, sets.bounding);
    EXPECT_EQ(sets.inheritable, 0U);
    EXPECT_EQ(sets.ambient, 0U);
    EXPECT_THAT(complaint({.process = R"(,"capabilities":{"effective":["CAP_KILL"],"permitted":[]})"}),
                HasSubstr("process.capabilities: the effective set"));
}

TEST(OciBundle, ResourcesBecomeAttributesOfVersion2) {
    const auto attributes =
        bundle_of({.linux_part = R"(,"resources":{"memory":{"limit":1000,"swap":1500,"reservation":-1},)"
                                 R"("cpu":{"shares":1024,"quota":5000},"pids":{"limit":0},)"
                                 R"("blockIO":{"weight":10,"throttleReadBpsDevice":[{"major":8,"minor":1,"rate":99}]},)"
                                 R"("unified":{"memory.high":"5"}})"})
            .runtime.cgroup_attributes;
    EXPECT_THAT(attributes,
                ElementsAre(Pair("memory.low", "max"), Pair("memory.max", "1000"), Pair("memory.swap.max", "500"),
                            Pair("cpu.weight", "39"), Pair("cpu.max", "5000 100000"), Pair("pids.max", "max"),
                            Pair("io.weight", "default 1"), Pair("io.max", "8:1 rbps=99"), Pair("memory.high", "5")));
}

TEST(OciBundle, MountsPathsDevicesAndParameters) {
    const OciBundle bundle = bundle_of(
        {.linux_part = R"(,"maskedPaths":["/proc/kcore"],"readonlyPaths":["/proc/sys/"],"sysctl":{"kernel.sem":"1"},)"
                       R"("devices":[{"path":"/dev/x","type":"b","major":8,"minor":1}])",
         .top =
             R"(,"mounts":[{"destination":"/dev/shm","type":"tmpfs"},{"destination":"/a","source":"sub","options":["bind","ro","nodev"]},)"
             R"({"destination":"/b","type":"tmpfs","options":["size=1m","noexec"]}])"});
    ASSERT_EQ(bundle.mounts.size(), 2U) << "/dev/shm is ours";
    EXPECT_EQ(bundle.mounts[0].sources[0].path, "/bundle/sub");
    EXPECT_TRUE(bundle.mounts[0].read_only);
    EXPECT_FALSE(bundle.mounts[0].recursive);
    EXPECT_EQ(bundle.mounts[1].options, "size=1m,noexec");
    EXPECT_THAT(bundle.runtime.masked_paths, ElementsAre("/proc/kcore"));
    EXPECT_THAT(bundle.runtime.read_only_paths, ElementsAre("/proc/sys"));
    EXPECT_THAT(bundle.runtime.sysctl, ElementsAre(Pair("kernel/sem", "1")));
    EXPECT_EQ(bundle.runtime.devices.at(0).mode, S_IFBLK | 0666U);
}

TEST(OciBundle, WordsOfMounts) {
    const auto mounts = [](const std::string& each) { return bundle_of({.top = R"(,"mounts":[)" + each + "]"}); };
    const CustomMount bind =
        mounts(R"({"destination":"/a","source":"/s","options":["rbind","noatime","rro","rw","suid","rslave"]})")
            .mounts.at(0);
    EXPECT_EQ(bind.change.set, uint64_t{MOUNT_ATTR_NOATIME});
    EXPECT_EQ(bind.change.clear, MOUNT_ATTR__ATIME | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
    EXPECT_FALSE(bind.read_only) << "the last word counts";
    EXPECT_EQ(bind.propagation, Propagation::slave);
    EXPECT_EQ(mounts(R"({"destination":"/a","type":"tmpfs","options":["async","dev","shared","rnoexec"]})")
                  .mounts.at(0)
                  .options,
              "async,dev,noexec");
}

TEST(OciBundle, OwnersOfBindsAreMappedAsSaid) {
    const auto bind = [](const std::string& members) {
        return bundle_of({.top = R"(,"mounts":[{"destination":"/a","source":"/s","options":["rbind")" + members + "}]"})
            .mounts.at(0);
    };
    constexpr auto kMaps =
        R"(,"uidMappings":[{"containerID":0,"hostID":7,"size":2},{"containerID":5,"hostID":50,"size":1}],)"
        R"("gidMappings":[{"containerID":1,"hostID":8,"size":3}])";
    const CustomMount top = bind(std::string("]") + kMaps);
    EXPECT_EQ(top.mapping, BindMapping::exact);
    EXPECT_EQ(top.exact_map.users, (IdRanges{{0, 7, 2}, {5, 50, 1}}));
    EXPECT_EQ(top.exact_map.groups, (IdRanges{{1, 8, 3}}));
    EXPECT_FALSE(top.maps_submounts);
    EXPECT_TRUE(bind(std::string(R"(,"ridmap"])") + kMaps).maps_submounts);
    EXPECT_EQ(bind("]").mapping, BindMapping::none);

    const auto refused = [](const std::string& mount) { return complaint({.top = R"(,"mounts":[)" + mount + "]"}); };
    EXPECT_EQ(refused(R"({"destination":"/a","source":"/s","options":["bind","idmap"]})"),
              "mounts: an idmap without uidMappings and gidMappings needs a user namespace of the container's own");
    EXPECT_EQ(refused(R"({"destination":"/a","source":"/s","options":["bind"],)"
                      R"("uidMappings":[{"containerID":0,"hostID":1,"size":1}]})"),
              "mounts[0]: uidMappings and gidMappings belong together");
    EXPECT_EQ(refused(R"({"destination":"/a","type":"tmpfs","options":["idmap"]})"),
              "mounts[0]: the owners of nothing but a bind can be mapped");
    EXPECT_EQ(refused(R"({"destination":"/proc","type":"proc","options":["ridmap"]})"),
              "mounts[0]: the owners of nothing but a bind can be mapped");
    EXPECT_EQ(refused(R"({"destination":"/a","source":"/s","options":["bind"],"uidMappings":[)"
                      R"({"containerID":0,"hostID":1,"size":2},{"containerID":1,"hostID":9,"size":1}]})"),
              "mounts[0].uidMappings: the ranges 0:1:2 and 1:9:1 overlap");
}

TEST(OciBundle, SeveralRangesOfUsers) {
    OciBundle bundle = parse_oci_bundle(
        R"({"ociVersion":"1.0.0","root":{"path":"/"},"process":{"args":["x"],"cwd":"/"},)"
        R"("linux":{"namespaces":[{"type":"mount"},{"type":"user"}],)"
        R"("uidMappings":[{"containerID":0,"hostID":1000,"size":1},{"containerID":1,"hostID":100000,"size":9}],)"
        R"("gidMappings":[{"containerID":0,"hostID":1000,"size":1},{"containerID":1,"hostID":100000,"size":9}]}})",
        "/bundle");
    const Config config = resolve(CommandLine{}, std::move(bundle), Caller{}, EnvironmentSwitches{}).config;
    EXPECT_EQ(config.users.map, (IdRanges{{0, 1000, 1}, {1, 100000, 9}}));
}

TEST(OciBundle, MountsThatAreOurs) {
    const OciRuntime runtime =
        bundle_of({.top = R"(,"mounts":[)"
                          R"({"destination":"/dev/shm","type":"tmpfs","options":["noexec","size=1m","private"]},)"
                          R"({"destination":"/proc","type":"proc","options":["dev","ro","hidepid=2","shared"]},)"
                          R"({"destination":"/sys","type":"bind","source":"/sys"},)"
                          R"({"destination":"/sys/fs/cgroup/net_prio","type":"cgroup"}])"})
            .runtime;
    ASSERT_EQ(runtime.own_mounts.size(), 2U);
    EXPECT_EQ(runtime.own_mounts[0].change.set, uint64_t{MOUNT_ATTR_NOEXEC});
    EXPECT_EQ(runtime.own_mounts[0].options.at(0).value, "1m");
    EXPECT_EQ(runtime.own_mounts[1].change.set, uint64_t{MOUNT_ATTR_RDONLY});
    EXPECT_EQ(runtime.own_mounts[1].options.at(0).name, "hidepid");
    EXPECT_THAT(runtime.left_out, ElementsAre("mounts[1].options[0] (dev)", "mounts[1].options[3] (shared)",
                                              "mounts[2] (bind on /sys)", "mounts[3] (/sys/fs/cgroup/net_prio)"));
}

TEST(OciBundle, AmbientCapabilitiesThatCannotBeHadAreNamed) {
    const OciRuntime runtime =
        bundle_of({.process = R"(,"capabilities":{"bounding":["CAP_KILL"],"inheritable":[],"ambient":["CAP_KILL"]})"})
            .runtime;
    EXPECT_EQ(runtime.capabilities->ambient, 0U);
    EXPECT_THAT(runtime.left_out,
                ElementsAre("process.capabilities.ambient (CAP_KILL: not both permitted and inheritable)"));
}

TEST(OciBundle, Namespaces) {
    const auto with = [](const std::string& list) {
        return parse_oci_bundle(R"({"ociVersion":"1.0.0","root":{"path":"/"},"process":{"args":["x"],"cwd":"/"},)"
                                R"("linux":{"namespaces":[{"type":"mount"})" +
                                    list + "]}}",
                                "/bundle")
            .runtime;
    };
    EXPECT_EQ(with("").inherited_namespaces,
              uint64_t{CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWUSER | CLONE_NEWNET});
    const OciRuntime joined = with(R"(,{"type":"pid"},{"type":"ipc","path":"/run/ipc"})");
    EXPECT_EQ(joined.joined_namespaces.at(0).path, "/run/ipc");
    EXPECT_EQ(joined.joined_namespaces.at(0).place, "linux.namespaces[2].path");
    EXPECT_EQ(with(R"(,{"type":"pid","path":"/run/pid"})").joined_namespaces.at(0).type, uint64_t{CLONE_NEWPID});
    EXPECT_EQ(joined.inherited_namespaces & (CLONE_NEWPID | CLONE_NEWIPC), 0U);
}

TEST(OciBundle, SeccompRulesWithOneArgumentTwiceAreRulesOfTheirOwn) {
    const auto rules =
        *bundle_of(
             {.linux_part =
                  R"(,"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"syscalls":[)"
                  R"({"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_EQ","value":1},)"
                  R"({"index":0,"op":"SCMP_CMP_EQ","value":2}]}]})"})
             .runtime.seccomp;
    EXPECT_EQ(rules.default_action, SECCOMP_RET_ERRNO | 38U);
    ASSERT_EQ(rules.rules.size(), 2U);
    EXPECT_EQ(rules.rules[1].arguments.at(0).value, 2U);
}

TEST(OciBundle, KnownHarmlessAndLeftOut) {
    EXPECT_THAT(bundle_of({.process = R"(,"apparmorProfile":"x")",
                           .linux_part = R"(,"resources":{"memory":{"swappiness":5}},"cgroupsPath":"x.slice")"})
                    .runtime.left_out,
                ElementsAre("process.apparmorProfile", "linux.resources.memory.swappiness", "linux.cgroupsPath"));
}

TEST(OciBundle, ANullIsNotThere) {
    EXPECT_EQ(complaint({.process = R"(,"rlimits":null,"user":null)", .top = R"(,"hooks":null)"}), "");
}

TEST(OciBundle, ErrorsNameThePlace) {
    const auto of_process = [](std::string member) { return complaint({.process = "," + std::move(member)}); };
    const auto of_linux = [](std::string member) { return complaint({.linux_part = "," + std::move(member)}); };
    EXPECT_EQ(of_process(R"("bogus":1)"), "process.bogus: unknown key");
    EXPECT_EQ(of_process(R"("terminal":"yes")"), "process.terminal: not a boolean");
    EXPECT_EQ(of_process(R"("env":["A=1","B"])"), "process.env[1]: is not NAME=VALUE");
    EXPECT_EQ(of_process(R"("env":["A=\u0000"])"), "process.env[0]: has a NUL character");
    EXPECT_EQ(of_process(R"("rlimits":[{"type":"RLIMIT_NOFILE","soft":-1,"hard":1}])"),
              "process.rlimits[0].soft: not a whole number from 0 to 9223372036854775807");
    EXPECT_EQ(of_process(R"("user":{"uid":4294967295})"), "process.user.uid: not a whole number from 0 to 4294967294");
    EXPECT_THAT(
        of_process(R"("rlimits":[{"type":"RLIMIT_AS","soft":1,"hard":1},{"type":"RLIMIT_AS","soft":1,"hard":1}])"),
        HasSubstr("is there twice"));
    EXPECT_EQ(of_linux(R"("devices":[{"path":"/etc/x","type":"p"}])"),
              "linux.devices[0].path: lies outside of /dev, which is not supported");
    EXPECT_THAT(of_linux(R"("sysctl":{"kernel.core_pattern":"|/x"}")"), HasSubstr("not valid JSON"));
    EXPECT_EQ(of_linux(R"("sysctl":{"kernel.core_pattern":"|/x"})"),
              "linux.sysctl.kernel.core_pattern: is not the container's own to set");
    EXPECT_EQ(of_linux(R"("sysctl":{"fs.mqueue/../../kernel":"1"})"),
              "linux.sysctl.fs.mqueue/../../kernel: is no name of a sysctl");
    EXPECT_EQ(of_linux(R"("resources":{"unified":{"cgroup.procs":"1"}})"),
              "linux.resources.unified.cgroup.procs: is no attribute of a controller");
    EXPECT_EQ(of_linux(R"("resources":{"memory":{"swap":5}})"),
              "linux.resources.memory.swap: has to be given together with memory.limit, and cannot be less");
    EXPECT_EQ(of_linux(R"("uidMappings":[{"containerID":0,"hostID":1,"size":1}])"),
              "linux: a user namespace and both uidMappings and gidMappings belong together");
    EXPECT_EQ(complaint({.top = R"(,"hooks":{"prestart":[{"path":"relative"}]})"}),
              "hooks.prestart[0].path: 'relative' is no absolute path without \"..\"");
    EXPECT_EQ(complaint({.top = R"(,"mounts":[{"destination":"/a","source":"/b","options":["bind","size=1"]}])"}),
              "mounts[0].options[1]: 'size=1' is not supported for a bind");
}

} // namespace
} // namespace nspawn
