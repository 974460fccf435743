#include "base/error.hpp"
#include "image/os_tree_check.hpp"
#include "tree_fixture.hpp"

#include <cstdlib>

namespace nspawn {

namespace {

class OsTree : public TreeFixture {
protected:
    void check(bool boot) const { check_os_tree(tree(), TopLevel(tree()), "/the/tree", boot); }
    void make() const { make_base_directories(tree(), TopLevel(tree())); }
    [[nodiscard]] std::string link_target(std::string_view name) const {
        return std::filesystem::read_symlink(path(name)).string();
    }
};

TEST_F(OsTree, NeedsUsr) {
    EXPECT_THROW(check(false), Error);
    directory("tree/usr");
    EXPECT_NO_THROW(check(false));
}

TEST_F(OsTree, BootNeedsAnOsReleaseFile) {
    directory("tree/usr");
    EXPECT_THROW(check(true), Error);
    file("tree/usr/lib/os-release", "");
    EXPECT_NO_THROW(check(true));
}

TEST_F(OsTree, OsReleaseInEtcMayBeALinkWithinTheTree) {
    file("tree/usr/share/release", "ID=x\n");
    link("tree/etc/os-release", "/usr/share/release");
    EXPECT_NO_THROW(check(true));
}

TEST_F(OsTree, OsReleaseOutsideTheTreeDoesNotCount) {
    file("os-release", "ID=x\n");
    link("tree/etc/os-release", "../../os-release");
    EXPECT_THROW(check(true), Error);
}

TEST_F(OsTree, OsReleaseAsFifoOrDirectoryDoesNotCountAndDoesNotHang) {
    fifo("tree/etc/os-release");
    directory("tree/usr/lib/os-release");
    EXPECT_THROW(check(true), Error);
}

TEST_F(OsTree, MakesWhatIsMissing) {
    directory("tree/usr/bin");
    directory("tree/usr/lib");
    make();
    for (const char* name : {"var", "etc", "root", "proc", "sys", "dev", "run"}) {
        EXPECT_TRUE(std::filesystem::is_directory(path(std::string("tree/") + name))) << name;
    }
    EXPECT_EQ(link_target("tree/bin"), "usr/bin");
    EXPECT_EQ(link_target("tree/lib"), "usr/lib");
    EXPECT_FALSE(exists("tree/sbin")); // nothing to lead to
    EXPECT_FALSE(exists("tree/lib64"));
}

#if defined(__x86_64__)
TEST_F(OsTree, Lib64LeadsToWhereTheLoaderIs) {
    file("tree/usr/lib/ld-linux-x86-64.so.2", "");
    make();
    EXPECT_EQ(link_target("tree/lib64"), "usr/lib");
}

TEST_F(OsTree, Lib64PrefersUsrLib64) {
    file("tree/usr/lib/ld-linux-x86-64.so.2", "");
    file("tree/usr/lib64/ld-linux-x86-64.so.2", "");
    make();
    EXPECT_EQ(link_target("tree/lib64"), "usr/lib64");
}
#endif

TEST_F(OsTree, LeavesWhatIsThereWhateverItIs) {
    directory("outside");
    link("tree/proc", "/");
    link("tree/sys", "../outside");
    link("tree/etc", "../../../../etc");
    fifo("tree/dev");
    file("tree/run", "x");
    directory("tree/usr/bin");
    directory("tree/bin");
    make();
    EXPECT_EQ(link_target("tree/proc"), "/");
    EXPECT_EQ(link_target("tree/sys"), "../outside");
    EXPECT_TRUE(std::filesystem::is_fifo(path("tree/dev")));
    EXPECT_TRUE(std::filesystem::is_regular_file(path("tree/run")));
    EXPECT_TRUE(std::filesystem::is_directory(std::filesystem::symlink_status(path("tree/bin"))));
    EXPECT_TRUE(std::filesystem::is_empty(path("outside")));
}

TEST_F(OsTree, ALinkThatLeavesTheTreeIsNoReasonForALink) {
    link("tree/usr/sbin", path("outside"));
    directory("outside");
    make();
    EXPECT_FALSE(exists("tree/sbin"));
}

TEST_F(OsTree, FindsItsNamesInATopDirectoryWithThousandsOfOthers) {
    for (int i = 0; i < 600; ++i) {
        file("tree/an-entry-that-fills-the-buffer-" + std::to_string(i), "");
    }
    directory("tree/usr");
    directory("tree/proc");
    const TopLevel top(tree());
    EXPECT_TRUE(top.has("usr"));
    EXPECT_TRUE(top.has("proc"));
    EXPECT_FALSE(top.has("sys"));
    EXPECT_FALSE(top.has("an-entry-that-fills-the-buffer-1"));
}

} // namespace

} // namespace nspawn
