#include "base/error.hpp"
#include "image/root_tree.hpp"
#include "tree_fixture.hpp"

#include <gmock/gmock.h>

#include <unistd.h>

namespace nspawn {

namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class SelectRoot : public TreeFixture {
protected:
    void SetUp() override {
        TreeFixture::SetUp();
        before_ = open_at(AT_FDCWD, ".", O_PATH | O_DIRECTORY).or_throw(".");
    }
    void TearDown() override {
        ASSERT_EQ(fchdir(before_.get()), 0);
        TreeFixture::TearDown();
    }
    [[nodiscard]] static std::string message_for(const std::string& directory) {
        try {
            select_root(directory, "", "", false);
        } catch (const Error& error) {
            return error.message();
        }
        return "no error";
    }

private:
    UniqueFd before_;
};

TEST_F(SelectRoot, TheWorkingDirectoryIsTheDefault) {
    ASSERT_EQ(chdir(path("tree").c_str()), 0);
    const RootSelection selection = select_root("", "", "", false);
    EXPECT_EQ(selection.path, path("tree"));
    EXPECT_EQ(selection.machine, "tree");
    EXPECT_EQ(selection.machine_suffix, "");
    EXPECT_EQ(selection.settings_directory, path(".").substr(0, path(".").size() - 2));
}

TEST_F(SelectRoot, RelativePathsAndLinksAreResolved) {
    link("link", "tree/./../tree");
    link("further", path("link"));
    ASSERT_EQ(chdir(path("tree").c_str()), 0);
    EXPECT_EQ(select_root("..//further/.", "", "", false).path, path("tree"));
    EXPECT_EQ(select_root("../further", "", "", false).machine, "tree");
}

TEST_F(SelectRoot, TheHostsTreeIsNamedAfterTheHostAndHasNoSettingsBesideIt) {
    const RootSelection selection = select_root("/", "", "web", false);
    EXPECT_EQ(selection.path, "/");
    EXPECT_EQ(selection.machine, "web");
    EXPECT_EQ(selection.settings_directory, "");
}

TEST_F(SelectRoot, EphemeralAddsASuffixUnlessTheNameWasGiven) {
    EXPECT_THAT(select_root(path("tree"), "", "", true).machine_suffix, MatchesRegex("-[0-9a-f]{16}"));
    EXPECT_EQ(select_root(path("tree"), "", "", true).machine, "tree");
    EXPECT_EQ(select_root(path("tree"), "", "web", true).machine_suffix, "");
}

TEST_F(SelectRoot, NameAndSuffixFitTogether) {
    const std::string name = std::string(46, 'a') + "--" + std::string(40, 'b');
    directory(name);
    const RootSelection selection = select_root(path(name), "", "", true);
    EXPECT_EQ(selection.machine, std::string(46, 'a'));
    EXPECT_LE((selection.machine + selection.machine_suffix).size(), 64U);
}

TEST_F(SelectRoot, NamesAreCleaned) {
    directory("my_tree (old)");
    EXPECT_EQ(select_root(path("my_tree (old)"), "", "", false).machine, "mytreeold");
    directory("___");
    EXPECT_THAT(message_for(path("___")), HasSubstr("no machine name can be made"));
}

TEST_F(SelectRoot, WhatCannotBeUsedIsNamed) {
    file("file", "");
    link("loop", "loop");
    fifo("fifo");
    EXPECT_THAT(message_for(path("missing")), HasSubstr("missing: No such file or directory"));
    EXPECT_THAT(message_for(path("file")), HasSubstr("is a file, not a directory"));
    EXPECT_THAT(message_for(path("fifo")), HasSubstr("not a directory"));
    EXPECT_THAT(message_for(path("loop")), HasSubstr("Too many levels of symbolic links"));
    EXPECT_THAT(message_for(path(std::string(300, 'x'))), HasSubstr("File name too long"));
    EXPECT_THAT(message_for(path("bad\x1b[31mname")), HasSubstr("\\x1b[31mname"));
}

TEST_F(SelectRoot, ARemovedWorkingDirectoryIsAnError) {
    directory("gone");
    ASSERT_EQ(chdir(path("gone").c_str()), 0);
    std::filesystem::remove(path("gone"));
    EXPECT_THAT(message_for(""), HasSubstr("was removed"));
    directory("kept (deleted)");
    EXPECT_EQ(select_root(path("kept (deleted)"), "", "", false).path, path("kept (deleted)"));
}

TEST_F(SelectRoot, AnUnknownMachineIsAnError) {
    EXPECT_THROW(select_root("", "", "no-such-machine-anywhere", false), Error);
}

TEST_F(SelectRoot, TheHostsTreeNeedsACopyOrAVolatileMode) {
    const auto selection = [] { return select_root("/", "", "", false); };
    Config config;
    EXPECT_THROW(RootTree::open(config, {}, selection()), Error);
    config.read_only = true;
    EXPECT_THROW(RootTree::open(config, {}, selection()), Error);
    config.volatile_mode = Volatile::overlay;
    EXPECT_THROW(RootTree::open(config, {}, selection()), Error);
}

} // namespace

} // namespace nspawn
