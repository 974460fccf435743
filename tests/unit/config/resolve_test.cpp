#include "config/resolve.hpp"
#include "linux/capability.hpp"
#include "saying.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace nspawn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Words = std::vector<std::string>;

constexpr CapabilityMask kMknod = capability_bit(CAP_MKNOD);
constexpr CapabilityMask kChown = capability_bit(CAP_CHOWN);
constexpr CapabilityMask kKill = capability_bit(CAP_KILL);
constexpr CapabilityMask kSysTime = capability_bit(CAP_SYS_TIME);

std::string environment_of(const Config& config) {
    std::string text;
    for (const EnvironmentEntry& entry : config.environment) {
        text.append(entry.name).append(entry.value ? "=" + *entry.value : "-").append(";");
    }
    return text;
}

// ---------------------------------------------------------------------------------------------------- precedence

TEST(Precedence, TheCommandLineBeatsAFile) {
    EXPECT_EQ(Saying({"--hostname=cli"}).trusted("Exec.Hostname=file").config().hostname, "cli");
    EXPECT_EQ(Saying().trusted("Exec.Hostname=file").config().hostname, "file");
    EXPECT_THAT(Saying({"--hostname=cli"}).trusted("Exec.Hostname=file").warnings(), IsEmpty());
}

TEST(Precedence, OverrideLetsTheFileWinForWhatItSets) {
    Saying saying({"--settings=override", "--hostname=cli", "--user=cli"});
    const Config config = saying.trusted("Exec.Hostname=file").config();
    EXPECT_EQ(config.hostname, "file");
    EXPECT_EQ(config.user, "cli");
}

TEST(Precedence, NoIgnoresTheFile) {
    EXPECT_EQ(Saying({"--settings=no"}).trusted("Exec.Hostname=file").config().hostname, "");
}

TEST(Precedence, ListsAreReplacedNotMerged) {
    EXPECT_EQ(environment_of(Saying({"-E", "A=1"}).trusted("Exec.Environment=B=2").config()), "A=1;");
    EXPECT_EQ(environment_of(Saying({"--settings=override", "-E", "A=1"}).trusted("Exec.Environment=B=2 C=3").config()),
              "B=2;C=3;");
}

TEST(Precedence, LaterAssignmentsOfFilesAddToListsAndReplaceScalars) {
    const Config config = Saying()
                              .trusted("Exec.Environment=A=1")
                              .trusted("Exec.Hostname=one")
                              .trusted("Exec.Environment=B=2 A=3")
                              .trusted("Exec.Hostname=two")
                              .config();
    EXPECT_EQ(environment_of(config), "A=3;B=2;");
    EXPECT_EQ(config.hostname, "two");
}

TEST(Precedence, AnEmptyValueTakesBackWhatFilesSaid) {
    const Config config = Saying({"--user=cli"})
                              .trusted("Exec.Environment=A=1")
                              .trusted("Exec.Hostname=one")
                              .trusted("Exec.LimitCORE=1")
                              .trusted("Exec.LimitNOFILE=2")
                              .trusted("Exec.Environment=")
                              .trusted("Exec.Hostname=")
                              .trusted("Exec.LimitCORE=")
                              .config();
    EXPECT_THAT(config.environment, IsEmpty());
    EXPECT_EQ(config.hostname, "");
    EXPECT_FALSE(config.limits[RLIMIT_CORE].has_value());
    EXPECT_TRUE(config.limits[RLIMIT_NOFILE].has_value());
}

TEST(Precedence, CapabilityListsAndFiltersCannotBeTakenBack) {
    const Config config = Saying()
                              .trusted("Exec.DropCapability=CAP_MKNOD")
                              .trusted("Exec.DropCapability=")
                              .trusted("Exec.SystemCallFilter=~@mount")
                              .trusted("Exec.SystemCallFilter=")
                              .config();
    EXPECT_EQ(config.drop_capability, kMknod);
    EXPECT_THAT(config.system_call_filter.deny, ElementsAre("@mount"));
}

TEST(Precedence, EachLimitHasItsOwnMaskBit) {
    Saying saying({"--rlimit=CORE=6"});
    const Config config = saying.trusted("Exec.LimitCORE=5").trusted("Exec.LimitNOFILE=7").config();
    EXPECT_EQ(config.limits[RLIMIT_CORE]->rlim_cur, 6U);
    EXPECT_EQ(config.limits[RLIMIT_NOFILE]->rlim_cur, 7U);
}

TEST(Precedence, CpusOfFilesAddUpAndThoseOfTheCommandLineReplace) {
    EXPECT_THAT(Saying().trusted("Exec.CPUAffinity=3 1").trusted("Exec.CPUAffinity=0-1").config().cpu_affinity,
                ElementsAre(0, 1, 3));
    EXPECT_THAT(Saying({"--cpu-affinity=5", "--cpu-affinity=2"}).trusted("Exec.CPUAffinity=1").config().cpu_affinity,
                ElementsAre(2));
}

TEST(Precedence, AFileCannotChangeHowFilesAreUsed) { EXPECT_EQ(find_setting("Exec", "Settings"), nullptr); }

// ---------------------------------------------------------------------------------------------------- start mode

TEST(StartModeOf, ParametersCountOnlyWithBootOrProcessTwo) {
    Saying alone;
    EXPECT_THAT(alone.trusted("Exec.Parameters=/bin/echo hi").config().words, IsEmpty());
    EXPECT_THAT(alone.warnings(), ElementsAre(HasSubstr("has no effect without Boot= or ProcessTwo=")));
    const Config config = Saying().trusted("Exec.Boot=no").trusted("Exec.Parameters=/bin/echo 'a  b'").config();
    EXPECT_EQ(config.start_mode, StartMode::pid1);
    EXPECT_THAT(config.words, ElementsAre("/bin/echo", "a  b"));
}

TEST(StartModeOf, IsTakenTogetherWithTheWords) {
    Saying masked({"ls", "/"});
    const Config kept = masked.trusted("Exec.Boot=yes").trusted("Exec.Parameters=x").config();
    EXPECT_EQ(kept.start_mode, StartMode::pid1);
    EXPECT_THAT(kept.words, ElementsAre("ls", "/"));

    Saying overridden({"--settings=override", "-a", "ls", "/"});
    const Config replaced = overridden.trusted("Exec.Boot=no").config();
    EXPECT_EQ(replaced.start_mode, StartMode::pid1);
    EXPECT_THAT(replaced.words, IsEmpty());
}

TEST(StartModeOf, TheSecondOfTwoContradictingSettingsIsIgnored) {
    Saying saying;
    EXPECT_EQ(saying.trusted("Exec.ProcessTwo=yes").trusted("Exec.Boot=yes").config().start_mode, StartMode::pid2);
    EXPECT_THAT(saying.warnings(), ElementsAre(HasSubstr("/etc/t.nspawn:2: Boot=yes: ignored")));
    EXPECT_EQ(Saying()
                  .trusted("Exec.ProcessTwo=yes")
                  .trusted("Exec.ProcessTwo=no")
                  .trusted("Exec.Boot=yes")
                  .config()
                  .start_mode,
              StartMode::boot);
}

TEST(StartModeOf, SwitchesCanBeTakenBack) {
    EXPECT_EQ(Saying({"-b", "--boot=no"}).trusted("Exec.Boot=yes").config().start_mode, StartMode::pid1);
    EXPECT_EQ(Saying({"-b", "--boot=no", "-a"}).config().start_mode, StartMode::pid2);
}

// --------------------------------------------------------------------------------------------------------- trust

TEST(TrustOf, EverySettingIsIgnoredUntrustedUnlessTheTableSaysOtherwise) {
    for (const Option& option : option_table()) {
        if (option.setting.empty() || option.trust != Trust::trusted_only) {
            continue;
        }
        std::vector<std::string> keys = {std::string(option.setting)};
        keys.insert(keys.end(), option.more_settings.begin(), option.more_settings.end());
        for (const std::string& key : keys) {
            Saying saying;
            EXPECT_THAT(saying.untrusted(key + "=1").warnings(),
                        ElementsAre(HasSubstr("a file that came with the image may not set this")))
                << key;
        }
    }
}

TEST(TrustOf, PrivilegedSettingsOfAnImageAreWarnedAboutAndTheRestHolds) {
    Saying saying;
    saying.untrusted("Exec.Capability=CAP_SYS_TIME").untrusted("Exec.DropCapability=CAP_MKNOD");
    saying.untrusted("Exec.Hostname=web");
    const Config config = saying.config();
    EXPECT_EQ(config.capability, 0U);
    EXPECT_EQ(config.drop_capability, kMknod);
    EXPECT_EQ(config.hostname, "web");
    EXPECT_THAT(saying.warnings(), ElementsAre(HasSubstr("/srv/u.nspawn:1: Capability=CAP_SYS_TIME: ignored")));
}

TEST(TrustOf, SettingsTrustedTrustsThem) {
    Saying saying({"--settings=trusted"});
    EXPECT_EQ(saying.untrusted("Exec.Capability=CAP_SYS_TIME").config().capability, kSysTime);
    EXPECT_THAT(saying.warnings(), IsEmpty());
}

TEST(TrustOf, AnUntrustedFilterThatAllowsIsDroppedAsAWhole) {
    Saying saying;
    saying.untrusted("Exec.SystemCallFilter=~@mount").untrusted("Exec.SystemCallFilter=bpf");
    const Config config = saying.config();
    EXPECT_THAT(config.system_call_filter.allow, IsEmpty());
    EXPECT_THAT(config.system_call_filter.deny, IsEmpty());
    EXPECT_EQ(saying.warnings().size(), 2U);
    EXPECT_THAT(Saying().untrusted("Exec.SystemCallFilter= ~@mount bpf").config().system_call_filter.deny,
                ElementsAre("@mount", "bpf"));
    const Config mixed =
        Saying().trusted("Exec.SystemCallFilter=bpf").untrusted("Exec.SystemCallFilter=~@mount").config();
    EXPECT_THAT(mixed.system_call_filter.allow, ElementsAre("bpf"));
    EXPECT_THAT(mixed.system_call_filter.deny, ElementsAre("@mount"));
}

TEST(TrustOf, AnImageNeverLoosensWhatTheCommandLineSaidNotEvenWithOverride) {
    Saying saying({"--settings=override", "--read-only", "--volatile=yes", "--no-new-privileges=yes", "-u", "nobody",
                   "--drop-capability=CAP_CHOWN", "--system-call-filter=~@mount"});
    saying.untrusted("Files.ReadOnly=no").untrusted("Files.Volatile=no").untrusted("Exec.NoNewPrivileges=no");
    saying.untrusted("Exec.User=root").untrusted("Exec.DropCapability=CAP_MKNOD");
    saying.untrusted("Exec.SystemCallFilter=~bpf");
    const Config config = saying.config();
    EXPECT_TRUE(config.read_only);
    EXPECT_EQ(config.volatile_mode, Volatile::yes);
    EXPECT_TRUE(config.no_new_privileges);
    EXPECT_EQ(config.user, "nobody");
    EXPECT_EQ(config.drop_capability, kChown | kMknod);
    EXPECT_THAT(config.system_call_filter.deny, ElementsAre("@mount", "bpf"));
    EXPECT_EQ(saying.warnings().size(), 4U);
}

TEST(TrustOf, WhatIsTrustedHasTheLastWordAmongFiles) {
    const Config config = Saying()
                              .trusted("Exec.NoNewPrivileges=yes")
                              .trusted("Exec.Hostname=mine")
                              .untrusted("Exec.NoNewPrivileges=no")
                              .untrusted("Exec.Hostname=theirs")
                              .untrusted("Exec.NoNewPrivileges=")
                              .config();
    EXPECT_TRUE(config.no_new_privileges);
    EXPECT_EQ(config.hostname, "mine");
}

TEST(TrustOf, AFileCannotCopyTheCallersEnvironment) {
    Saying saying;
    saying.with("SECRET=x").trusted("Exec.Environment=SECRET A=1");
    EXPECT_EQ(environment_of(saying.config()), "A=1;");
    EXPECT_THAT(saying.warnings(), ElementsAre(HasSubstr("SECRET has no \"=VALUE\"; the rest of the line holds")));
}

// -------------------------------------------------------------------------------------------- malformed in files

TEST(Files, MalformedValuesAreWarnedAboutAndIgnored) {
    Saying saying;
    saying.trusted("Exec.Hostname=good").trusted("Exec.Hostname=b_d").trusted("Exec.KillSignal=NOPE");
    const Config config = saying.config();
    EXPECT_EQ(config.hostname, "good");
    EXPECT_FALSE(config.kill_signal.has_value());
    EXPECT_THAT(saying.warnings(), ElementsAre(HasSubstr("/etc/t.nspawn:2: Hostname=b_d: ignored, the host name has"),
                                               HasSubstr("/etc/t.nspawn:3: KillSignal=NOPE: ignored, not a signal")));
}

TEST(Files, AnUnknownCapabilityDoesNotUndoTheOthersOnItsLine) {
    Saying saying;
    EXPECT_EQ(saying.trusted("Exec.DropCapability=CAP_FUTURE CAP_MKNOD").config().drop_capability, kMknod);
    EXPECT_THAT(saying.warnings(), ElementsAre(HasSubstr("\"CAP_FUTURE\" is not a capability")));
}

TEST(Files, AMalformedSettingDoesNotDisplaceTheCommandLine) {
    Saying saying({"--settings=override", "--hostname=cli"});
    EXPECT_EQ(saying.trusted("Exec.Hostname=b_d").config().hostname, "cli");
}

// -------------------------------------------------------------------------------------------------- capabilities

TEST(Capabilities, OfTheCommandLineHideThoseOfFiles) {
    const Config config = Saying({"--drop-capability=CAP_CHOWN"})
                              .trusted("Exec.DropCapability=CAP_MKNOD")
                              .trusted("Exec.Capability=CAP_SYS_TIME")
                              .config();
    EXPECT_EQ(config.drop_capability, kChown);
    EXPECT_EQ(config.capability, 0U);
}

// Both sides as systemd-nspawn 252 was seen to combine them.
TEST(Capabilities, WithOverrideBothSidesCountAndTheFileIsLast) {
    const Config both = Saying({"--settings=override", "--drop-capability=CAP_CHOWN"})
                            .trusted("Exec.DropCapability=CAP_MKNOD")
                            .config();
    EXPECT_EQ(both.drop_capability, kChown | kMknod);
    const Config given_back = Saying({"--settings=override", "--drop-capability=CAP_CHOWN"})
                                  .trusted("Exec.Capability=CAP_CHOWN CAP_SYS_TIME")
                                  .config();
    EXPECT_EQ(given_back.drop_capability, 0U);
    EXPECT_EQ(given_back.capability, kChown | kSysTime);
    const Config ambient = Saying({"--settings=override", "--ambient-capability=CAP_CHOWN"})
                               .trusted("Exec.AmbientCapability=CAP_KILL")
                               .config();
    EXPECT_EQ(ambient.ambient_capability, kChown | kKill);
    const Config dropped =
        Saying().trusted("Exec.Capability=CAP_MKNOD").trusted("Exec.DropCapability=CAP_MKNOD").config();
    EXPECT_EQ(dropped.drop_capability, kMknod);
}

TEST(Capabilities, AmbientOnesMustBeKept) {
    EXPECT_THAT(Saying({"--ambient-capability=CAP_SYS_TIME"}).problem(),
                "--ambient-capability=CAP_SYS_TIME: the container does not keep CAP_SYS_TIME");
    EXPECT_EQ(Saying({"--ambient-capability=CAP_SYS_TIME", "--capability=CAP_SYS_TIME"}).problem(), "");
    EXPECT_THAT(Saying({"--ambient-capability=CAP_KILL", "--drop-capability=all"}).problem(), HasSubstr("CAP_KILL"));
}

// ------------------------------------------------------------------------------------------------------- implied

TEST(Derived, BootBringsItsKillSignal) {
    EXPECT_EQ(Saying({"-b"}).config().kill_signal, SIGRTMIN + 3);
    EXPECT_EQ(Saying({"-b", "--kill-signal=TERM"}).config().kill_signal, SIGTERM);
    EXPECT_EQ(Saying().trusted("Exec.Boot=yes").config().kill_signal, SIGRTMIN + 3);
    EXPECT_FALSE(Saying({"-a", "true"}).config().kill_signal.has_value());
}

TEST(Derived, VolatileMakesTheTreeReadOnly) {
    EXPECT_TRUE(Saying({"--volatile"}).config().read_only);
    EXPECT_TRUE(Saying({"--volatile=state", "--read-only=no"}).config().read_only);
    EXPECT_FALSE(Saying({"--volatile=no"}).config().read_only);
}

TEST(Derived, TheConsoleFollowsTheTerminals) {
    EXPECT_EQ(Saying().terminals(true, true).config().console, ConsoleMode::interactive);
    EXPECT_EQ(Saying().terminals(true, false).config().console, ConsoleMode::read_only);
    EXPECT_EQ(Saying().terminals(false, true).config().console, ConsoleMode::read_only);
    EXPECT_EQ(Saying({"--console=autopipe"}).terminals(true, true).config().console, ConsoleMode::interactive);
    EXPECT_EQ(Saying({"--console=autopipe"}).terminals(true, false).config().console, ConsoleMode::pipe);
    EXPECT_EQ(Saying({"--console=passive"}).terminals(true, true).config().console, ConsoleMode::passive);
    EXPECT_EQ(Saying({"-P", "--console=interactive"}).config().console, ConsoleMode::interactive);
}

TEST(Derived, PipingIsQuiet) {
    EXPECT_TRUE(Saying({"-P"}).config().quiet);
    EXPECT_TRUE(Saying({"--console=autopipe"}).config().quiet);
    EXPECT_FALSE(Saying().config().quiet);
}

TEST(Derived, SuppressSyncHasADefaultInTheEnvironment) {
    EXPECT_TRUE(Saying().with("SYSTEMD_SUPPRESS_SYNC=1").config().suppress_sync);
    EXPECT_FALSE(Saying({"--suppress-sync=no"}).with("SYSTEMD_SUPPRESS_SYNC=1").config().suppress_sync);
    EXPECT_FALSE(Saying().trusted("Exec.SuppressSync=no").with("SYSTEMD_SUPPRESS_SYNC=1").config().suppress_sync);
}

TEST(Derived, SharedNamespacesForbidAnInitAndRegistration) {
    EXPECT_FALSE(Saying().with("SYSTEMD_NSPAWN_SHARE_NS_PID=1").config().register_machine);
    EXPECT_TRUE(Saying().with("SYSTEMD_NSPAWN_SHARE_NS_IPC=1").config().register_machine);
    EXPECT_EQ(Saying({"-b"}).with("SYSTEMD_NSPAWN_SHARE_NS_UTS=1").problem(),
              "-b cannot be combined with a shared PID or UTS namespace ($SYSTEMD_NSPAWN_SHARE_NS_UTS)");
    EXPECT_THAT(Saying().trusted("Exec.ProcessTwo=1").with("SYSTEMD_NSPAWN_SHARE_SYSTEM=1").problem(),
                HasSubstr("/etc/t.nspawn:1: ProcessTwo=1 cannot be combined"));
}

// ----------------------------------------------------------------------------------------------------- conflicts

TEST(Conflicts, NameBothSources) {
    EXPECT_EQ(Saying({"-a", "-b"}).problem(), "-b and -a cannot be combined");
    EXPECT_EQ(Saying({"-a", "-b", "--boot=no"}).problem(), "");
    EXPECT_EQ(Saying({"--ambient-capability=CAP_KILL"}).trusted("Exec.Boot=yes").problem(),
              "/etc/t.nspawn:1: Boot=yes and --ambient-capability=CAP_KILL cannot be combined");
    EXPECT_EQ(Saying({"--ambient-capability=", "-b"}).problem(), "");
    EXPECT_EQ(Saying({"--show-config", "--dry-run"}).problem(), "--dry-run and --show-config cannot be combined");
    EXPECT_THAT(Saying({"--json"}).problem(), HasSubstr("--json: there is nothing to print"));
}

TEST(Template, NeedsAPlace) {
    EXPECT_EQ(Saying({"--template=t"}).problem(), "--template=t needs a place where the tree is made");
    EXPECT_EQ(Saying({"--template=t", "-D", "x"}).problem(), "");
    EXPECT_EQ(Saying({"--template=t", "-M", "x"}).problem(), "");
    EXPECT_EQ(Saying({"--template=t", "--template="}).problem(), "");
}

TEST(Template, OfAThrowAwayCopyIsItsTree) {
    for (const Words& words : {Words{"-x", "--template=t"}, Words{"--template=t", "-x", "-M", "m"}}) {
        EXPECT_EQ(Saying(words).config().directory, "/here/t");
        EXPECT_EQ(Saying(words).config().template_directory, "");
    }
    EXPECT_EQ(Saying({"--template=t", "-x", "-D", "x"}).problem(), "--template=t and -x cannot be combined");
    EXPECT_EQ(Saying({"--template=t", "-x", "-D", "x", "--ephemeral=no"}).problem(), "");
    EXPECT_EQ(Saying({"--template=t", "-M", "m"}).trusted("Exec.Ephemeral=yes").problem(),
              "--template=t and /etc/t.nspawn:1: Ephemeral=yes cannot be combined");
}

// ------------------------------------------------------------------------------------------------------ the rest

TEST(CommandLineAlone, TellsTheTreeAndHowSettingsAreUsed) {
    std::vector<std::string> words = {"nspawn", "-D", "tree/./x", "--settings=override", "-x", "true"};
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    Caller caller;
    caller.working_directory = "/srv";
    const Config config = read_command_line(parse_command_line(static_cast<int>(words.size()), argv.data()), caller);
    EXPECT_EQ(config.directory, "/srv/tree/x");
    EXPECT_EQ(config.settings, SettingsMode::override_command_line);
    EXPECT_TRUE(config.ephemeral);
    EXPECT_EQ(config.words, Words{"true"});
}

TEST(Environment, OfTheCommandLine) {
    EXPECT_EQ(environment_of(Saying({"-E", "A=1", "-E", "B", "-E", "C", "-E", "A=2=3"}).with("B=from caller").config()),
              "A=2=3;B=from caller;C-;");
}

} // namespace
} // namespace nspawn
