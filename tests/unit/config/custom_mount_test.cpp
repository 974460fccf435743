// The grammar of --bind=, --tmpfs=, --overlay= and --inaccessible=, and the order that mounts are made in.
#include "base/error.hpp"
#include "config/custom_mount.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace nspawn {
namespace {

CustomMount bind(std::string_view text) { return parse_bind(text, false, "/here"); }

std::string problem(const std::function<void()>& parse) {
    try {
        parse();
    } catch (const Error& error) {
        return error.message();
    }
    return "";
}
std::string bind_problem(std::string_view text) {
    return problem([&] { (void)bind(text); });
}

TEST(CustomMount, ABindShowsTheSourceAtItsOwnPath) {
    const CustomMount mount = bind("/srv//data/");
    EXPECT_EQ(mount.sources.front().path, "/srv/data");
    EXPECT_EQ(mount.destination, "/srv/data");
    EXPECT_TRUE(mount.recursive);
    EXPECT_FALSE(mount.read_only);
    EXPECT_TRUE(parse_bind("/srv", true, "/").read_only);
}

TEST(CustomMount, ABindHasADestinationAndOptions) {
    const CustomMount mount = bind("/srv:/data:norbind,rootidmap");
    EXPECT_EQ(mount.destination, "/data");
    EXPECT_FALSE(mount.recursive);
    EXPECT_EQ(mount.mapping, BindMapping::root);
    EXPECT_EQ(bind("/srv:/data:norbind,rbind,idmap,noidmap").recursive, true);
    EXPECT_EQ(bind("/srv:/data:idmap,noidmap").mapping, BindMapping::none);
    EXPECT_EQ(bind_problem("/srv:/data:nosuch"), "there is no option 'nosuch' for a bind");
    EXPECT_EQ(bind_problem("/srv:/data:"), "there is no option '' for a bind");
}

TEST(CustomMount, AColonOfAPathIsEscaped) {
    const CustomMount mount = bind("/a\\:b:/c\\\\d");
    EXPECT_EQ(mount.sources.front().path, "/a:b");
    EXPECT_EQ(mount.destination, "/c\\d");
    EXPECT_EQ(bind("/a\\b:/c").sources.front().path, "/a\\b") << "any other backslash is one";
    EXPECT_EQ(bind_problem("/a:/b:rbind:/c"), "there is no option 'rbind:/c' for a bind");
    EXPECT_EQ(bind_problem("/a:/b:owner=x"), "'x' in 'owner=x' is no id (0 to 4294967294)");
    EXPECT_EQ(bind_problem("/a:/b:owner=1:2:3"), "'owner=1:2:3' is not owner=UID[:GID]");
    EXPECT_EQ(bind_problem("/a:/b:map=1:2"), "'map=1:2' is not map=CONTAINER:DISK:COUNT");
    EXPECT_EQ(bind_problem("/a:/b:map=0:0:10,map=5:100:1"), "'map=5:100:1': the ranges 0:0:10 and 5:100:1 overlap");
}

TEST(CustomMount, ARelativeSourceStartsFromTheCallersDirectory) {
    EXPECT_EQ(bind("data:/data").sources.front().path, "/here/data");
    EXPECT_EQ(bind("../data:/data").sources.front().path, "/here/../data");
    EXPECT_EQ(bind_problem("data"), "a relative source needs a destination");
}

TEST(CustomMount, ASourceInTheTreeOrNoneAtAll) {
    const CustomMount in_tree = bind("+/usr/share:/mnt");
    EXPECT_TRUE(in_tree.sources.front().in_tree);
    EXPECT_EQ(in_tree.sources.front().path, "/usr/share");
    EXPECT_EQ(bind("+/usr/share").destination, "/usr/share");
    EXPECT_EQ(bind(":/scratch").sources.front().path, "");
    EXPECT_EQ(bind_problem(""), "no source is given");
    EXPECT_EQ(bind_problem("+usr:/mnt"), "the source in the tree 'usr' is no absolute path");
    EXPECT_EQ(bind_problem("+/../etc:/mnt"), "the source in the tree '/../etc' has a \"..\" in it");
}

TEST(CustomMount, OwnersAreGivenAsIds) {
    const CustomMount owner = parse_bind("/a:/b:norbind,owner=33", false, "/");
    EXPECT_EQ(owner.mapping, BindMapping::user);
    EXPECT_EQ(owner.user, 33U);
    EXPECT_EQ(owner.group, 33U);
    EXPECT_FALSE(owner.recursive);
    const CustomMount ranges = parse_bind("/a:/b:map=0:1000:1,map=1000:0:1", false, "/");
    EXPECT_EQ(ranges.ranges, (IdRanges{{0, 1000, 1}, {1000, 0, 1}}));
    EXPECT_EQ(format_custom_mount(ranges), "/a:/b:map=0:1000:1,map=1000:0:1");
    EXPECT_EQ(format_custom_mount(owner), "/a:/b:norbind,owner=33:33");
}

TEST(CustomMount, OnlyABindCanTakeThePlaceOfTheTree) {
    EXPECT_EQ(parse_bind("/srv:/./", true, "/").destination, "/");
    EXPECT_EQ(bind_problem(":/"), "an empty directory cannot be the whole tree");
    EXPECT_EQ(bind_problem("/"), "the destination / is the tree itself");
    EXPECT_EQ(problem([] { (void)parse_inaccessible("/"); }), "the destination / is the tree itself");
}

TEST(CustomMount, ADestinationIsAbsolute) {
    EXPECT_EQ(bind_problem("/srv:data"), "the destination 'data' is no absolute path");
    EXPECT_EQ(bind_problem("/srv:/a/../.."), "the destination '/a/../..' has a \"..\" in it");
    EXPECT_EQ(bind_problem("/srv:/" + std::string(5000, 'a')), "a path has at most 4095 bytes");
    EXPECT_EQ(bind_problem("/srv:"), "the destination '' is no absolute path");
}

TEST(CustomMount, ATmpfsHasOptionsThatTakeThePlaceOfTheDefault) {
    EXPECT_EQ(parse_tmpfs("/var/tmp").options, "mode=0755");
    EXPECT_EQ(parse_tmpfs("/var/tmp:size=10%,mode=01777").options, "size=10%,mode=01777");
    EXPECT_EQ(parse_tmpfs("/var/tmp:").options, "");
    EXPECT_EQ(problem([] { (void)parse_tmpfs("/"); }), "the destination / is the tree itself");
}

TEST(CustomMount, AnOverlayHasLayers) {
    const CustomMount mount = parse_overlay("/low:+/mid:/up:/data", false);
    ASSERT_EQ(mount.sources.size(), 3U);
    EXPECT_TRUE(mount.sources[1].in_tree);
    EXPECT_EQ(mount.sources[2].path, "/up");
    EXPECT_EQ(mount.destination, "/data");

    const CustomMount two = parse_overlay("/low:/both", false);
    EXPECT_EQ(two.sources.back().path, "/both");
    EXPECT_EQ(two.destination, "/both");

    EXPECT_EQ(parse_overlay("/low::/data", false).sources.back().path, "");
    const std::string only_upper = "only the layer that takes the changes may be left empty";
    EXPECT_EQ(problem([] { (void)parse_overlay(":/up:/data", false); }), only_upper);
    EXPECT_EQ(problem([] { (void)parse_overlay("/low::/data", true); }), only_upper);
    EXPECT_EQ(problem([] { (void)parse_overlay("/low", false); }), "an overlay needs two paths at least");
    EXPECT_EQ(problem([] { (void)parse_overlay("low:/up:/data", false); }), "the layer 'low' is no absolute path");
}

TEST(CustomMount, IsWrittenAsItCanBeReadAgain) {
    for (const std::string_view text : {"/srv:/data", "+/a\\:b:/c:norbind,owneridmap", ":/scratch"}) {
        EXPECT_EQ(format_custom_mount(bind(text)), text);
    }
    for (const std::string_view text : {"/low:/up:/data", "/low:+/mid::/data"}) {
        EXPECT_EQ(format_custom_mount(parse_overlay(text, false)), text);
    }
    EXPECT_EQ(format_custom_mount(parse_tmpfs("/t:size=1m")), "/t:size=1m");
    EXPECT_EQ(format_custom_mount(parse_inaccessible("/home")), "/home");
}

TEST(CustomMount, ParentsAreMountedFirst) {
    std::vector<CustomMount> mounts = {parse_inaccessible("/a/b"), bind("/x:/a-b"), parse_tmpfs("/a"), bind("/y:/a/b"),
                                       bind("/z:/a/b/c")};
    sort_custom_mounts(mounts);
    std::vector<std::string> order;
    for (const CustomMount& mount : mounts) {
        order.push_back(mount.destination);
    }
    EXPECT_EQ(order, (std::vector<std::string>{"/a", "/a/b", "/a/b", "/a/b/c", "/a-b"}));
    EXPECT_EQ(mounts[1].kind, CustomMountKind::bind);
    EXPECT_EQ(mounts[2].kind, CustomMountKind::inaccessible);
}

} // namespace
} // namespace nspawn
