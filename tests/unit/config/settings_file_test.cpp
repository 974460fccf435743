#include "base/error.hpp"
#include "config/option.hpp"
#include "config/settings_file.hpp"
#include "config/settings_keys.hpp"
#include "config/settings_syntax.hpp"
#include "temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

namespace nspawn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class SettingsFiles : public ::testing::Test {
protected:
    SettingsFiles() {
        for (const char* place : {"etc", "run", "images"}) {
            std::filesystem::create_directory(directory_.path() / place);
        }
    }

    [[nodiscard]] SettingsPlaces places(bool trust_beside = false) const {
        return {directory_.at("etc"), directory_.at("run"), directory_.at("images"), trust_beside};
    }
    [[nodiscard]] Settings read(bool trust_beside = false) const {
        return read_settings(places(trust_beside), "web", [](char letter) { return std::string("<") + letter + ">"; });
    }
    // "trusted etc/web.nspawn:2 Exec.User=a"
    [[nodiscard]] std::vector<std::string> assignments(const Settings& settings) const {
        std::vector<std::string> lines;
        for (const Assignment& each : settings.assignments) {
            EXPECT_NE(each.option, nullptr);
            EXPECT_EQ(each.origin.kind, Origin::Kind::settings_file);
            lines.push_back(std::string(each.origin.trusted ? "trusted " : "untrusted ") + below(each.origin.file) +
                            ":" + std::to_string(each.origin.line) + " " + each.spelled + "=" + each.value);
        }
        return lines;
    }
    // The one line with which reading fails.
    [[nodiscard]] std::string failure(bool trust_beside = false) const {
        try {
            (void)read(trust_beside);
        } catch (const Error& error) {
            EXPECT_THAT(error.message(), Not(HasSubstr("\n")));
            return error.message();
        }
        ADD_FAILURE() << "reading did not fail";
        return {};
    }

    TemporaryDirectory directory_;

private:
    [[nodiscard]] std::string below(const std::string& path) const {
        return std::filesystem::path(path).lexically_relative(directory_.path()).string();
    }
};

TEST_F(SettingsFiles, NoFileIsNoSetting) {
    EXPECT_THAT(read().assignments, IsEmpty());
    EXPECT_THAT(read().files, IsEmpty());
    const Settings nowhere = read_settings({directory_.at("a"), directory_.at("b"), directory_.at("c"), false}, "web",
                                           host_specifier_facts("web"));
    EXPECT_THAT(nowhere.assignments, IsEmpty());
}

TEST_F(SettingsFiles, TheFirstPlaceWins) {
    directory_.write("images/web.nspawn", "[Exec]\nUser=c\n");
    EXPECT_THAT(assignments(read()), ElementsAre("untrusted images/web.nspawn:2 Exec.User=c"));
    directory_.write("run/web.nspawn", "[Exec]\nUser=b\n");
    EXPECT_THAT(assignments(read()), ElementsAre("trusted run/web.nspawn:2 Exec.User=b"));
    directory_.write("etc/web.nspawn", "[Exec]\nUser=a\n");
    EXPECT_THAT(assignments(read()), ElementsAre("trusted etc/web.nspawn:2 Exec.User=a"));
}

TEST_F(SettingsFiles, ThePlaceBesideTheImageIsTrustedOnlyWhenTheCallerSaysSo) {
    directory_.write("images/web.nspawn", "[Exec]\nCapability=all\n");
    EXPECT_THAT(assignments(read(true)), ElementsAre("trusted images/web.nspawn:2 Exec.Capability=all"));
}

TEST_F(SettingsFiles, AFileHasNoSayInItsOwnTrust) {
    directory_.write("images/web.nspawn",
                     "[Exec]\nSettings=trusted\nTrust=yes\n[Trust]\nTrusted=yes\n[Exec]\nUser=c\n");
    const Settings settings = read();
    EXPECT_THAT(assignments(settings), ElementsAre("untrusted images/web.nspawn:7 Exec.User=c"));
    EXPECT_THAT(settings.warnings, SizeIs(3));
}

TEST_F(SettingsFiles, AnUnprivilegedCallerReadsOnlyBesideTheImage) {
    const SettingsPlaces unprivileged = host_settings_places(false, "/home/me", false);
    EXPECT_EQ(unprivileged.administrator, "");
    EXPECT_EQ(unprivileged.runtime, "");
    EXPECT_EQ(host_settings_places(true, "", false).administrator, "/etc/systemd/nspawn");
    EXPECT_EQ(host_settings_places(true, "", false).runtime, "/run/systemd/nspawn");
}

TEST_F(SettingsFiles, DropInsFollowTheFileInOrderOfTheirNames) {
    directory_.write("etc/web.nspawn", "[Exec]\nUser=a\n");
    directory_.write("run/web.nspawn.d/20-b.conf", "[Exec]\nUser=c\n");
    directory_.write("etc/web.nspawn.d/30-c.conf", "[Exec]\nUser=d\n");
    directory_.write("etc/web.nspawn.d/10-a.conf", "[Exec]\nUser=b\n");
    EXPECT_THAT(assignments(read()),
                ElementsAre("trusted etc/web.nspawn:2 Exec.User=a", "trusted etc/web.nspawn.d/10-a.conf:2 Exec.User=b",
                            "trusted run/web.nspawn.d/20-b.conf:2 Exec.User=c",
                            "trusted etc/web.nspawn.d/30-c.conf:2 Exec.User=d"));
}

TEST_F(SettingsFiles, OnlyConfFilesAreDropIns) {
    directory_.write("etc/web.nspawn.d/10-a.conf~", "[Exec]\nUser=a\n");
    directory_.write("etc/web.nspawn.d/.10-b.conf", "[Exec]\nUser=b\n");
    directory_.write("etc/web.nspawn.d/10-c.nspawn", "[Exec]\nUser=c\n");
    EXPECT_THAT(read().assignments, IsEmpty());
}

TEST_F(SettingsFiles, ADropInOfEtcHidesTheOneOfTheSameNameElsewhere) {
    directory_.write("etc/web.nspawn.d/10-a.conf", "[Exec]\nUser=a\n");
    directory_.write("run/web.nspawn.d/10-a.conf", "[Exec]\nUser=b\n");
    directory_.write("images/web.nspawn.d/10-a.conf", "[Exec]\nUser=c\n");
    EXPECT_THAT(assignments(read()), ElementsAre("trusted etc/web.nspawn.d/10-a.conf:2 Exec.User=a"));
}

TEST_F(SettingsFiles, ADropInIsAsTrustedAsItsOwnPlaceAndUntrustedOnesComeFirst) {
    directory_.write("images/web.nspawn", "[Exec]\nUser=a\n");
    directory_.write("images/web.nspawn.d/99-z.conf", "[Exec]\nUser=b\n");
    directory_.write("etc/web.nspawn.d/10-a.conf", "[Exec]\nUser=c\n");
    EXPECT_THAT(assignments(read()), ElementsAre("untrusted images/web.nspawn:2 Exec.User=a",
                                                 "untrusted images/web.nspawn.d/99-z.conf:2 Exec.User=b",
                                                 "trusted etc/web.nspawn.d/10-a.conf:2 Exec.User=c"));
    EXPECT_THAT(assignments(read(true)), ElementsAre("trusted images/web.nspawn:2 Exec.User=a",
                                                     "trusted etc/web.nspawn.d/10-a.conf:2 Exec.User=c",
                                                     "trusted images/web.nspawn.d/99-z.conf:2 Exec.User=b"));
}

TEST_F(SettingsFiles, ATrustedFileReplacesWhateverCameWithTheImage) {
    directory_.write("etc/web.nspawn", "");
    directory_.write("images/web.nspawn", "[Exec]\nUser=a\n");
    directory_.write("images/web.nspawn.d/10-a.conf", "[Exec]\nUser=b\n");
    const Settings settings = read();
    EXPECT_THAT(settings.assignments, IsEmpty());
    EXPECT_THAT(settings.warnings, ElementsAre(AllOf(HasSubstr("images/web.nspawn.d"), HasSubstr("ignored"))));
}

TEST_F(SettingsFiles, ALinkToDevNullMasksAFileOnlyInATrustedPlace) {
    directory_.write("images/web.nspawn", "[Exec]\nUser=a\n");
    directory_.write("run/web.nspawn.d/10-a.conf", "[Exec]\nUser=b\n");
    std::filesystem::create_symlink("/dev/null", directory_.path() / "etc/web.nspawn");
    std::filesystem::create_directory(directory_.path() / "etc/web.nspawn.d");
    std::filesystem::create_symlink("/dev/null", directory_.path() / "etc/web.nspawn.d/10-a.conf");
    EXPECT_THAT(read().assignments, IsEmpty());

    std::filesystem::remove(directory_.path() / "etc/web.nspawn");
    std::filesystem::remove(directory_.path() / "images/web.nspawn");
    std::filesystem::create_symlink("/dev/null", directory_.path() / "images/web.nspawn");
    EXPECT_THAT(failure(), HasSubstr("leads nowhere inside"));
}

TEST_F(SettingsFiles, AnUntrustedLinkCannotLeaveItsDirectory) {
    const std::string secret = directory_.write("secret", "[Exec]\nUser=a\nhunter2\n");
    std::filesystem::create_symlink(secret, directory_.path() / "images/web.nspawn");
    EXPECT_THAT(failure(),
                AllOf(HasSubstr("images/web.nspawn"), HasSubstr("may not leave"), Not(HasSubstr("hunter2"))));
    EXPECT_THAT(assignments(read(true)), SizeIs(1)) << "a trusted place may link to anywhere";

    std::filesystem::remove(directory_.path() / "images/web.nspawn");
    std::filesystem::create_symlink("../secret", directory_.path() / "images/web.nspawn");
    EXPECT_THAT(failure(), HasSubstr("may not leave"));
}

TEST_F(SettingsFiles, AnUntrustedLinkMayStayInItsDirectory) {
    directory_.write("images/shared.nspawn", "[Exec]\nUser=a\n");
    std::filesystem::create_symlink("shared.nspawn", directory_.path() / "images/web.nspawn");
    EXPECT_THAT(assignments(read()), ElementsAre("untrusted images/web.nspawn:2 Exec.User=a"));
}

TEST_F(SettingsFiles, AnUntrustedDropInDirectoryCannotBeALinkElsewhere) {
    directory_.write("elsewhere/10-a.conf", "[Exec]\nUser=a\n");
    std::filesystem::create_symlink("../elsewhere", directory_.path() / "images/web.nspawn.d");
    EXPECT_THAT(failure(), HasSubstr("may not leave"));
}

TEST_F(SettingsFiles, AForeignFilesContentIsNeverShown) {
    directory_.write("images/web.nspawn", "root:$6$hunter2:1::\nhunter2=1\n[hunter2 x]\n[Exec]\nhunter2 =hunter2 x\n"
                                          "hunter2 hunter2=x\n");
    const Settings settings = read();
    EXPECT_THAT(settings.warnings, SizeIs(5));
    for (const std::string& warning : settings.warnings) {
        EXPECT_THAT(warning, Not(HasSubstr("$6$")));
        EXPECT_THAT(warning, Not(HasSubstr("hunter2 ")));
    }
}

TEST_F(SettingsFiles, WhatIsNoReadableFileFailsWithOneLine) {
    const std::filesystem::path file = directory_.path() / "etc/web.nspawn";
    const std::string path = file.string();

    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_THAT(failure(), AllOf(HasSubstr(path), HasSubstr("a FIFO, not a regular file")));
    std::filesystem::remove(file);

    std::filesystem::create_directory(file);
    EXPECT_THAT(failure(), HasSubstr("a directory, not a regular file"));
    std::filesystem::remove(file);

    std::filesystem::create_symlink("web.nspawn", file);
    EXPECT_THAT(failure(), HasSubstr("loop"));
    std::filesystem::remove(file);

    std::filesystem::create_symlink("/dev/zero", file);
    EXPECT_THAT(failure(), HasSubstr("a character device, not a regular file"));
    std::filesystem::remove(file);

    std::filesystem::create_symlink("missing", file);
    EXPECT_THAT(failure(), HasSubstr("leads nowhere"));
    std::filesystem::remove(file);

    directory_.write("etc/web.nspawn", std::string(10'000'000, 'x'));
    EXPECT_THAT(failure(), HasSubstr("larger than 1 MiB"));
}

TEST_F(SettingsFiles, APlaceThatIsNoDirectoryFails) {
    std::filesystem::remove(directory_.path() / "etc");
    directory_.write("etc", "");
    EXPECT_THAT(failure(), HasSubstr("Not a directory"));
}

TEST_F(SettingsFiles, ADropInPlaceThatIsNoDirectoryFails) {
    directory_.write("etc/web.nspawn.d", "");
    EXPECT_THAT(failure(), HasSubstr("not a directory"));
}

TEST_F(SettingsFiles, JunkGivesAFewLinesOnly) {
    std::string junk;
    for (int i = 0; i < 5000; ++i) {
        junk += "junk\n";
    }
    directory_.write("etc/web.nspawn", junk);
    const Settings settings = read();
    EXPECT_THAT(settings.warnings, SizeIs(9));
    EXPECT_THAT(settings.warnings.back(), HasSubstr("4992 more problems"));
}

TEST_F(SettingsFiles, NamesWhatItDoesNotKnow) {
    directory_.write("etc/web.nspawn",
                     "[Exec]\nusers=x\nuser=a\nUser=b\n[Fun]\nA=b\nC=d\n[X-Mine]\nA=b\n[Exec]\nX-Mine=c\n"
                     "[Files]\nHostname=h\n");
    const Settings settings = read();
    EXPECT_THAT(assignments(settings), ElementsAre("trusted etc/web.nspawn:4 Exec.User=b"));
    EXPECT_THAT(settings.warnings,
                ElementsAre(HasSubstr("web.nspawn:2: unknown setting users= in section [Exec], ignored"),
                            AllOf(HasSubstr(":3:"), HasSubstr("did you mean User= in [Exec]?")),
                            HasSubstr(":5: unknown section [Fun], ignored"),
                            AllOf(HasSubstr(":13:"), HasSubstr("did you mean Hostname= in [Exec]?"))));
}

TEST_F(SettingsFiles, NamesEveryDocumentedKeyThatHasNoOptionYet) {
    for (const std::string_view setting : documented_settings()) {
        const std::string section(setting.substr(0, setting.find('.')));
        const std::string key(setting.substr(setting.find('.') + 1));
        directory_.write("etc/web.nspawn", "[" + section + "]\n" + key + "=yes\n");
        const Settings settings = read();
        if (find_setting(section, key) != nullptr) {
            EXPECT_THAT(settings.assignments, SizeIs(1)) << setting;
            EXPECT_THAT(settings.warnings, IsEmpty()) << setting;
        } else {
            EXPECT_THAT(settings.assignments, IsEmpty()) << setting;
            EXPECT_THAT(settings.warnings, ElementsAre(HasSubstr("is not supported by this version"))) << setting;
        }
    }
}

TEST_F(SettingsFiles, ExpandsSpecifiersAsFarAsTheFileIsTrusted) {
    directory_.write("etc/web.nspawn", "[Exec]\nHostname=%i-%H\n");
    EXPECT_THAT(assignments(read()), ElementsAre("trusted etc/web.nspawn:2 Exec.Hostname=<i>-<H>"));
    std::filesystem::remove(directory_.path() / "etc/web.nspawn");
    directory_.write("images/web.nspawn", "[Exec]\nHostname=%i-%H\n");
    const Settings settings = read();
    EXPECT_THAT(assignments(settings), ElementsAre("untrusted images/web.nspawn:2 Exec.Hostname=<i>-%H"));
    EXPECT_THAT(settings.warnings, ElementsAre(HasSubstr("%H tells about the host")));
}

TEST_F(SettingsFiles, KeepsAnEmptyValueSinceItCanResetAList) {
    directory_.write("etc/web.nspawn", "[Exec]\nEnvironment=\n");
    const Settings settings = read();
    ASSERT_THAT(settings.assignments, SizeIs(1));
    EXPECT_TRUE(settings.assignments[0].has_value);
    EXPECT_EQ(settings.assignments[0].value, "");
}

} // namespace
} // namespace nspawn
