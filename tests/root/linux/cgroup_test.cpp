// Control groups and device policies of this very host. Each test leaves the host as it was; each is skipped where the
// hierarchy that it needs cannot be written.
#include "base/file.hpp"
#include "linux/cgroup.hpp"
#include "linux/device_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <functional>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {
namespace {

using testing::HasSubstr;
using testing::Not;

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string content(const std::string& path) { return read_file(AT_FDCWD, path.c_str(), 1 << 20).value_or(""); }

// A process that does `work` and then sleeps until it is killed; `alive` ends it at the latest.
class Child {
public:
    explicit Child(const std::function<bool()>& work) {
        std::array<int, 2> ready{};
        EXPECT_EQ(::pipe2(ready.data(), O_CLOEXEC), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            const char answer = work() ? 'y' : 'n';
            EXPECT_EQ(::write(ready[1], &answer, 1), 1);
            for (;;) {
                ::pause();
            }
        }
        ::close(ready[1]);
        char answer = 'n';
        EXPECT_EQ(::read(ready[0], &answer, 1), 1);
        ::close(ready[0]);
        succeeded_ = answer == 'y';
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] bool succeeded() const { return succeeded_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    bool ended_by_kill() {
        int status = 0;
        return ::waitpid(pid_, &status, WNOHANG) == pid_ && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }

private:
    pid_t pid_ = -1;
    bool succeeded_ = false;
};

bool move_here(const std::string& group) {
    return write_existing(AT_FDCWD, (group + "/cgroup.procs").c_str(), "0").ok();
}

class CgroupTest : public testing::Test {
protected:
    void SetUp() override {
        hierarchies_ = probe_cgroups();
        if (::geteuid() != 0 || !hierarchies_.version2 || ::access(hierarchies_.version2->unit.c_str(), W_OK) != 0) {
            GTEST_SKIP() << "no writable cgroup2 hierarchy";
        }
    }

    [[nodiscard]] Cgroup make(const std::string& name, bool keep_unit = false) const {
        Cgroup::Outcome outcome = Cgroup::create(hierarchies_, {name, keep_unit, false});
        EXPECT_EQ(outcome.missing, "");
        return std::move(*outcome.cgroup);
    }
    [[nodiscard]] std::string scope(const std::string& name) const {
        return hierarchies_.version2->unit + "/" + scope_name(name);
    }

    CgroupHierarchies hierarchies_;
    const std::string name_ = "nspawn.test." + std::to_string(::getpid());
};

TEST_F(CgroupTest, IsMadeAndRemoved) {
    {
        const Cgroup group = make(name_);
        EXPECT_EQ(group.paths(), std::vector<std::string>{scope(name_)});
        EXPECT_TRUE(exists(scope(name_) + "/payload"));
        EXPECT_FALSE(group.needs_add());
    }
    EXPECT_FALSE(exists(scope(name_)));
}

TEST_F(CgroupTest, ASecondOfTheSameNameGetsAnother) {
    Cgroup first = make(name_);
    {
        const Cgroup second = make(name_);
        EXPECT_NE(second.paths(), first.paths());
    }
    first.remove().or_throw("first");
    EXPECT_EQ(make(name_).paths(), std::vector<std::string>{scope(name_)});
}

TEST_F(CgroupTest, AnEmptyLeftoverIsReplaced) {
    ASSERT_EQ(::mkdir(scope(name_).c_str(), 0700), 0);
    ASSERT_EQ(::mkdir((scope(name_) + "/old").c_str(), 0755), 0);
    ASSERT_EQ(::mkdir((scope(name_) + "/old/older").c_str(), 0755), 0);
    const Cgroup group = make(name_);
    EXPECT_EQ(group.paths(), std::vector<std::string>{scope(name_)});
    EXPECT_FALSE(exists(scope(name_) + "/old"));
}

TEST_F(CgroupTest, AnotherProgramsGroupIsLeftAlone) {
    ASSERT_EQ(::mkdir(scope(name_).c_str(), 0755), 0);
    ASSERT_EQ(::mkdir((scope(name_) + "/empty").c_str(), 0755), 0);
    ASSERT_EQ(::mkdir((scope(name_) + "/busy").c_str(), 0755), 0);
    {
        const Child child([&] { return move_here(scope(name_) + "/busy"); });
        ASSERT_TRUE(child.succeeded());
        EXPECT_NE(make(name_).paths(), std::vector<std::string>{scope(name_)});
        EXPECT_TRUE(exists(scope(name_) + "/empty"));
    }
    EXPECT_TRUE(remove_leftover_cgroup(scope(name_)).ok());
}

TEST_F(CgroupTest, WhatThePayloadLeftIsRemovedHoweverDeep) {
    constexpr int kDepth = 300; // more than the descriptors that one may expect to have for it
    {
        const Cgroup group = make(name_);
        UniqueFd at(::fcntl(group.descriptor(), F_DUPFD_CLOEXEC, 0));
        for (int i = 0; i < kDepth; ++i) {
            ASSERT_EQ(::mkdirat(at.get(), "wide", 0755), 0);
            ASSERT_EQ(::mkdirat(at.get(), "deep", 0755), 0);
            at = open_at(at.get(), "deep", O_RDONLY | O_DIRECTORY).or_throw("deep");
        }
        Child child([&] { return write_existing(at.get(), "cgroup.procs", "0").ok(); });
        ASSERT_TRUE(child.succeeded());
    }
    EXPECT_FALSE(exists(scope(name_)));
}

TEST_F(CgroupTest, SurvivorsAreKilledOnRemoval) {
    Cgroup group = make(name_);
    Child child([&] { return move_here(scope(name_) + "/payload"); });
    ASSERT_TRUE(child.succeeded());
    EXPECT_EQ(group.remove().error(), 0);
    EXPECT_FALSE(exists(scope(name_)));
    EXPECT_TRUE(child.ended_by_kill());
}

TEST_F(CgroupTest, KillAllLeavesTheGroup) {
    const Cgroup group = make(name_);
    Child child([&] { return move_here(scope(name_) + "/payload"); });
    ASSERT_TRUE(child.succeeded());
    EXPECT_EQ(group.kill_all().error(), 0);
    EXPECT_TRUE(child.ended_by_kill());
    EXPECT_TRUE(exists(scope(name_) + "/payload"));
}

TEST_F(CgroupTest, DelegationEndsAtThePayload) {
    Cgroup group = make(name_);
    ASSERT_TRUE(group.delegate_to(524288, 524289).ok());
    struct stat status {};
    for (const char* path : {"/payload", "/payload/cgroup.procs", "/payload/cgroup.subtree_control"}) {
        ASSERT_EQ(::stat((scope(name_) + path).c_str(), &status), 0);
        EXPECT_EQ(status.st_uid, 524288U) << path;
        EXPECT_EQ(status.st_gid, 524289U) << path;
    }
    for (const char* path : {"", "/cgroup.procs", "/payload/cgroup.max.depth"}) {
        ASSERT_EQ(::stat((scope(name_) + path).c_str(), &status), 0);
        EXPECT_EQ(status.st_uid, 0U) << path;
    }
}

TEST_F(CgroupTest, LeftoversOfAKilledRunAreClearedAway) {
    std::array<int, 2> channel{};
    ASSERT_EQ(::pipe2(channel.data(), O_CLOEXEC), 0);
    std::optional<Child> survivor;
    {
        const Child run([&] {
            static std::optional<Cgroup> group;
            group.emplace(make(name_));
            return true;
        });
        survivor.emplace([&] { return move_here(scope(name_) + "/payload"); });
        ASSERT_TRUE(survivor->succeeded());
        EXPECT_EQ(remove_leftover_cgroup(scope(name_)).error(), EAGAIN);
        EXPECT_EQ(remove_empty_leftover_cgroup(scope(name_)).error(), EAGAIN);
    }
    EXPECT_EQ(remove_empty_leftover_cgroup(scope(name_)).error(), ENOTSUP) << "a process lives in it";
    EXPECT_TRUE(exists(scope(name_)));
    EXPECT_EQ(remove_leftover_cgroup(scope(name_)).error(), 0);
    EXPECT_FALSE(exists(scope(name_)));
    EXPECT_TRUE(survivor->ended_by_kill());
    EXPECT_EQ(remove_leftover_cgroup(scope(name_)).error(), 0);
}

TEST_F(CgroupTest, AnEmptyLeftoverGoesWithoutAnybodyBeingKilled) {
    ASSERT_EQ(::mkdir(scope(name_).c_str(), 0755), 0);
    EXPECT_EQ(remove_empty_leftover_cgroup(scope(name_)).error(), 0);
    EXPECT_FALSE(exists(scope(name_)));
    EXPECT_EQ(remove_empty_leftover_cgroup(scope(name_)).error(), 0);
}

TEST_F(CgroupTest, APathIsToldBeforeItIsMade) {
    std::vector<std::string> told;
    struct Listener {
        std::vector<std::string>& told;
        bool was_there = false;
    } listener{told};
    const auto listen = [&listener](const std::string& path) {
        listener.told.push_back(path);
        listener.was_there = listener.was_there || exists(path);
    };
    const Cgroup::Outcome first = Cgroup::create(hierarchies_, {name_, false, false}, listen);
    EXPECT_EQ(told, std::vector<std::string>{scope(name_)});
    EXPECT_FALSE(listener.was_there);
    told.clear();
    const Cgroup::Outcome second = Cgroup::create(hierarchies_, {name_, false, false}, listen);
    ASSERT_EQ(told.size(), 2U) << "the name that is taken, and the one that was made";
    EXPECT_EQ(second.cgroup->paths(), std::vector<std::string>{told.back()});
}

TEST_F(CgroupTest, OnlyOurGroupsAreLeftovers) {
    EXPECT_EQ(remove_leftover_cgroup(hierarchies_.version2->unit).error(), ENOTSUP);
    EXPECT_EQ(remove_leftover_cgroup("/usr/machine-x.scope").error(), 0);
    const std::string directory = "/tmp/machine-" + std::to_string(::getpid()) + ".scope";
    ASSERT_EQ(::mkdir(directory.c_str(), 0755), 0);
    EXPECT_EQ(remove_leftover_cgroup(directory).error(), ENOTSUP);
    EXPECT_EQ(::rmdir(directory.c_str()), 0);
}

// The race that 200 starts from one tree run: each finds groups of the same name that are not locked yet.
TEST_F(CgroupTest, ManyOfOneNameAtOnce) {
    constexpr int kProcesses = 12;
    constexpr int kRounds = 200;
    std::array<pid_t, kProcesses> pids{};
    for (pid_t& pid : pids) {
        pid = ::fork();
        if (pid == 0) {
            int failures = 0;
            for (int round = 0; round < kRounds; ++round) {
                Cgroup::Outcome outcome = Cgroup::create(hierarchies_, {name_, false, false});
                failures += outcome.cgroup && exists(outcome.cgroup->paths().front() + "/payload") &&
                                    outcome.cgroup->remove().ok()
                                ? 0
                                : 1;
            }
            ::_exit(failures);
        }
    }
    for (const pid_t pid : pids) {
        int status = 0;
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        EXPECT_EQ(status, 0);
    }
    EXPECT_FALSE(exists(scope(name_)));
}

TEST_F(CgroupTest, WithTheUnitKeptThereIsNoScope) {
    const Cgroup group = make(name_, true);
    EXPECT_FALSE(exists(scope(name_)));
    EXPECT_THAT(group.paths().front(), HasSubstr(hierarchies_.version2->unit + "/payload"));
    EXPECT_EQ(group.descriptor(), group.policy_descriptor());
}

// In a service that has controllers to share out we are in the way ourselves.
TEST_F(CgroupTest, TheKeptUnitIsLeftForItsControllersAndEnteredAgain) {
    const std::string root = hierarchies_.version2->unit;
    const std::string unit = root + "/" + name_;
    const std::string controller = content(root + "/cgroup.subtree_control").substr(0, 7);
    if (controller.empty()) {
        GTEST_SKIP() << "no controller is enabled here";
    }
    ASSERT_EQ(::mkdir(unit.c_str(), 0755), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
        EXPECT_TRUE(move_here(unit));
        {
            Cgroup::Outcome outcome = Cgroup::create(probe_cgroups(), {name_, true, false});
            EXPECT_EQ(outcome.missing, "");
            EXPECT_THAT(content("/proc/self/cgroup"), HasSubstr("0::/" + name_ + "/supervisor\n"));
            EXPECT_NE(content(unit + "/cgroup.subtree_control"), "\n");
            EXPECT_NE(content(unit + "/payload/cgroup.controllers"), "\n");
        }
        EXPECT_THAT(content("/proc/self/cgroup"), Not(HasSubstr("supervisor")));
        EXPECT_FALSE(exists(unit + "/payload"));
        EXPECT_FALSE(exists(unit + "/supervisor"));
        ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(::rmdir(unit.c_str()), 0);
}

TEST(CgroupWithout, SaysWhatIsMissing) {
    EXPECT_EQ(Cgroup::create({}, {"x", false, false}).missing, "no control group hierarchy is mounted");
    CgroupHierarchies elsewhere;
    elsewhere.version2 = CgroupHierarchy{"", "/tmp"};
    const Cgroup::Outcome outcome = Cgroup::create(elsewhere, {"x", false, false});
    EXPECT_FALSE(outcome.cgroup);
    EXPECT_THAT(outcome.missing, HasSubstr("/tmp"));
}

class Version1Test : public CgroupTest {
protected:
    void SetUp() override {
        hierarchies_ = probe_cgroups();
        hierarchies_.version2.reset();
        hierarchies_.layout = CgroupLayout::legacy;
        if (::geteuid() != 0 || hierarchies_.version1.empty()) {
            GTEST_SKIP() << "no version 1 hierarchy";
        }
    }
};

TEST_F(Version1Test, ThePayloadIsAddedToEveryHierarchy) {
    std::vector<std::string> paths;
    {
        Cgroup group = make(name_);
        paths = group.paths();
        EXPECT_EQ(group.descriptor(), -1);
        EXPECT_EQ(paths.size(), hierarchies_.version1.size());
        ASSERT_TRUE(group.needs_add());
        const Child child([] { return true; });
        ASSERT_EQ(group.add_process(child.pid()).error(), 0);
        const std::string groups = content("/proc/" + std::to_string(child.pid()) + "/cgroup");
        for (const CgroupHierarchy& hierarchy : hierarchies_.version1) {
            const size_t line = groups.find(":" + hierarchy.controllers + ":");
            ASSERT_NE(line, std::string::npos) << hierarchy.controllers;
            EXPECT_THAT(groups.substr(line, groups.find('\n', line) - line), HasSubstr(scope_name(name_) + "/payload"));
        }
    }
    for (const std::string& path : paths) {
        EXPECT_FALSE(exists(path)) << path;
    }
}

bool may_make(mode_t type, unsigned major, unsigned minor) {
    const std::string node = "/tmp/nspawn-node-" + std::to_string(::getpid());
    const bool made = ::mknod(node.c_str(), type | 0600, makedev(major, minor)) == 0;
    EXPECT_TRUE(made || errno == EPERM);
    ::unlink(node.c_str());
    return made;
}

bool may_open(const char* node, int flags) {
    const UniqueFd fd(::open(node, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    return fd.valid();
}

void expect_policy_holds_for_this_process() {
    EXPECT_TRUE(may_make(S_IFCHR, 1, 3));
    EXPECT_TRUE(may_make(S_IFCHR, 0, 0)); // a whiteout is no device
    EXPECT_FALSE(may_make(S_IFBLK, 254, 0));
    EXPECT_FALSE(may_make(S_IFCHR, 1, 11));
    EXPECT_TRUE(may_open("/dev/null", O_RDWR));
    EXPECT_TRUE(may_open("/dev/ptmx", O_RDWR));
    EXPECT_FALSE(may_open("/dev/kmsg", O_RDONLY));
}

void run_in(Cgroup& group, const std::function<void()>& checks) {
    const Child child([&] {
        if (group.descriptor() >= 0) {
            EXPECT_TRUE(write_existing(group.descriptor(), "cgroup.procs", "0").ok());
        }
        EXPECT_TRUE(group.add_process(::getpid()).ok());
        checks();
        return !testing::Test::HasFailure();
    });
    EXPECT_TRUE(child.succeeded());
}

TEST_F(CgroupTest, DevicePolicyHolds) {
    Cgroup group = make(name_);
    ASSERT_TRUE(may_open("/dev/kmsg", O_RDONLY));
    ASSERT_EQ(enforce_device_policy(group, default_device_rules()), "");
    run_in(group, expect_policy_holds_for_this_process);
    EXPECT_TRUE(may_open("/dev/kmsg", O_RDONLY)) << "only the group is restricted";
}

TEST_F(Version1Test, DevicePolicyHolds) {
    if (hierarchies_.find_version1("devices") == nullptr) {
        GTEST_SKIP() << "no devices controller";
    }
    Cgroup group = make(name_);
    ASSERT_EQ(enforce_device_policy(group, default_device_rules()), "");
    run_in(group, expect_policy_holds_for_this_process);
}

TEST_F(Version1Test, WithoutADevicesControllerItSaysSo) {
    std::erase_if(hierarchies_.version1, [](const auto& hierarchy) { return hierarchy.controllers == "devices"; });
    Cgroup group = make(name_);
    EXPECT_THAT(enforce_device_policy(group, default_device_rules()), HasSubstr("cannot be restricted"));
}

TEST_F(CgroupTest, AProgramOfTheContainersOwnDoesNotWidenThePolicy) {
    Cgroup group = make(name_);
    ASSERT_EQ(enforce_device_policy(group, default_device_rules()), "");
    const std::array everything = {DeviceRule{DeviceType::character, 1, {}, device_access::kAll}};
    ASSERT_EQ(attach_device_program(group.descriptor(), device_program(everything)).error(), 0);
    run_in(group, [] {
        EXPECT_FALSE(may_open("/dev/kmsg", O_RDONLY));
        EXPECT_FALSE(may_open("/dev/ptmx", O_RDWR)); // each can only take away more
    });
}

} // namespace
} // namespace nspawn
