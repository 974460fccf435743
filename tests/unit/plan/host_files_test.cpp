// Facts about host and tree go in, what becomes of the container's resolv.conf, localtime and journal comes out.
#include "plan/host_files.hpp"
#include "sample_input.hpp"

#include <gtest/gtest.h>

#include <linux/sched.h>

namespace nspawn {
namespace {

class HostFilesPlan : public testing::Test {
protected:
    HostFilesPlan() {
        input_.config.resolv_conf.way = HostFileWay::off;
        input_.config.timezone = HostFileWay::off;
    }

    // The one file that is planned; none: an empty target.
    HostFile only(bool private_network = false) {
        const std::vector<HostFile> files = plan_host_files(
            {.config = input_.config, .host = input_.host, .image = input_.image, .private_network = private_network});
        EXPECT_LE(files.size(), 1U);
        return files.empty() ? HostFile{} : files.front();
    }

    HostFile resolv_conf(std::string_view word, bool private_network = false) {
        input_.config.resolv_conf = *parse_resolv_conf(word);
        return only(private_network);
    }

    HostFile timezone(std::string_view word) {
        input_.config.timezone = *parse_timezone(word);
        return only();
    }

    static bool is_none(const HostFile& file) { return std::string_view(file.target).empty(); }

    SampleInput input_;
};

TEST_F(HostFilesPlan, ResolvConfEveryMode) {
    struct Case {
        const char* word;
        HostFileAction action;
        const char* source;
    };
    const char* const host = "/etc/resolv.conf";
    const char* const fixed = "/usr/lib/systemd/resolv.conf";
    const char* const uplink = "/run/systemd/resolve/resolv.conf";
    const char* const stub = "/run/systemd/resolve/stub-resolv.conf";
    const Case cases[] = {
        {"copy-host", HostFileAction::copy, host},
        {"copy-static", HostFileAction::copy, fixed},
        {"copy-uplink", HostFileAction::copy, uplink},
        {"copy-stub", HostFileAction::copy, stub},
        {"replace-host", HostFileAction::replace, host},
        {"replace-static", HostFileAction::replace, fixed},
        {"replace-uplink", HostFileAction::replace, uplink},
        {"replace-stub", HostFileAction::replace, stub},
        {"bind-host", HostFileAction::bind, host},
        {"bind-static", HostFileAction::bind, fixed},
        {"bind-uplink", HostFileAction::bind, uplink},
        {"bind-stub", HostFileAction::bind, stub},
        {"delete", HostFileAction::remove, host},
    };
    for (const Case& each : cases) {
        const HostFile file = resolv_conf(each.word);
        EXPECT_STREQ(file.target, "/etc/resolv.conf") << each.word;
        EXPECT_EQ(file.action, each.action) << each.word;
        EXPECT_EQ(file.source, each.source) << each.word;
        EXPECT_TRUE(file.on_request) << each.word;
        EXPECT_FALSE(file.remove_if_missing) << each.word;
        EXPECT_EQ(to_word(input_.config.resolv_conf), each.word);
    }
    EXPECT_TRUE(is_none(resolv_conf("off")));
    EXPECT_TRUE(is_none(resolv_conf("no")));
}

TEST_F(HostFilesPlan, ResolvConfAutomatic) {
    EXPECT_EQ(resolv_conf("auto").action, HostFileAction::copy);
    EXPECT_EQ(resolv_conf("yes").source, "/etc/resolv.conf");
    EXPECT_TRUE(resolv_conf("auto").remove_if_missing);
    EXPECT_FALSE(resolv_conf("auto").on_request);
    input_.host.stub_resolver = true;
    EXPECT_EQ(resolv_conf("auto").source, "/run/systemd/resolve/stub-resolv.conf");
    input_.config.read_only = true;
    EXPECT_EQ(resolv_conf("auto").action, HostFileAction::bind);
    EXPECT_FALSE(resolv_conf("auto").remove_if_missing);
}

TEST_F(HostFilesPlan, APrivateNetworkKeepsItsOwnServersUnlessToldOtherwise) {
    EXPECT_TRUE(is_none(resolv_conf("auto", true)));
    EXPECT_EQ(resolv_conf("copy-host", true).action, HostFileAction::copy);
    EXPECT_EQ(resolv_conf("delete", true).action, HostFileAction::remove);
}

TEST_F(HostFilesPlan, ReadOnlyTreesAreWritableThroughMemory) {
    input_.config.read_only = true;
    input_.config.volatile_mode = Volatile::overlay;
    EXPECT_TRUE(resolv_conf("auto").writable);
    EXPECT_FALSE(resolv_conf("auto").hidden);
    input_.config.volatile_mode = Volatile::yes;
    EXPECT_TRUE(resolv_conf("auto").writable);
    EXPECT_TRUE(resolv_conf("auto").hidden) << "the tree's own /etc is not there at all";
    input_.config.volatile_mode = Volatile::state;
    EXPECT_EQ(resolv_conf("auto").action, HostFileAction::bind);
    input_.config.read_only = false;
    input_.config.volatile_mode = Volatile::no;
    input_.image.read_only = true;
    EXPECT_EQ(resolv_conf("auto").action, HostFileAction::bind);
}

TEST_F(HostFilesPlan, MountsMayHideWhatTheTreeHas) {
    for (const char* destination : {"/etc", "/etc/resolv.conf", "/usr", "/usr/share/zoneinfo/Europe"}) {
        input_.config.custom_mounts = {parse_tmpfs(destination)};
        EXPECT_TRUE(resolv_conf("auto").hidden) << destination;
    }
    input_.config.custom_mounts = {parse_bind("/srv/other:/", false, "/")};
    EXPECT_TRUE(resolv_conf("auto").hidden);
    EXPECT_EQ(resolv_conf("auto").action, HostFileAction::bind);
    for (const char* destination : {"/etcetera", "/usr/lib", "/srv"}) {
        input_.config.custom_mounts = {parse_tmpfs(destination)};
        EXPECT_FALSE(resolv_conf("auto").hidden) << destination;
    }
}

TEST_F(HostFilesPlan, TimezoneEveryMode) {
    EXPECT_TRUE(is_none(timezone("off")));
    EXPECT_EQ(timezone("copy").action, HostFileAction::replace) << "a link there is another zone's file";
    EXPECT_EQ(timezone("bind").action, HostFileAction::bind);
    EXPECT_EQ(timezone("symlink").action, HostFileAction::link);
    EXPECT_EQ(timezone("symlink").zone, "Europe/Berlin");
    EXPECT_EQ(timezone("delete").action, HostFileAction::remove);
}

TEST_F(HostFilesPlan, TimezoneAutomatic) {
    EXPECT_EQ(timezone("auto").action, HostFileAction::link);
    EXPECT_EQ(timezone("auto").zone, "Europe/Berlin");
    input_.config.read_only = true;
    EXPECT_EQ(timezone("auto").action, HostFileAction::bind);
    input_.host.local_time = LocalTime::file;
    EXPECT_EQ(timezone("auto").action, HostFileAction::bind);
    input_.config.read_only = false;
    EXPECT_EQ(timezone("auto").action, HostFileAction::replace);
    input_.host.local_time = LocalTime::missing;
    EXPECT_EQ(timezone("auto").action, HostFileAction::remove);
    input_.config.read_only = true;
    EXPECT_TRUE(is_none(timezone("auto")));
}

TEST(ZoneOfLink, OnlyWhatLiesBelowZoneinfo) {
    EXPECT_EQ(zone_of_link("/usr/share/zoneinfo/UTC"), "UTC");
    EXPECT_EQ(zone_of_link("../usr/share/zoneinfo/America/Argentina/Ushuaia"), "America/Argentina/Ushuaia");
    for (const char* link : {"", "UTC", "/etc/zone", "usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/",
                             "/usr/share/zoneinfo", "/usr/share/zoneinfo/../../../etc/shadow",
                             "/usr/share/zoneinfo//etc/shadow", "../usr/share/zoneinfo/a/./b"}) {
        EXPECT_EQ(zone_of_link(link), "") << link;
    }
}

TEST_F(HostFilesPlan, Journal) {
    const Id128 id = *input_.image.machine_id;
    const auto plan = [&] {
        return plan_journal({.config = input_.config, .host = input_.host, .image = input_.image}, id);
    };
    EXPECT_EQ(plan().mode, LinkJournal::automatic);
    EXPECT_EQ(plan().tree_path, "/srv/web/var/log/journal/0123456789abcdef0123456789abcdef");
    EXPECT_FALSE(plan().fresh_id);
    input_.image.machine_id.reset();
    EXPECT_TRUE(plan().fresh_id);
    input_.config.uuid = id;
    EXPECT_FALSE(plan().fresh_id);
    input_.image.path = "/";
    EXPECT_EQ(plan().tree_path, "/var/log/journal/0123456789abcdef0123456789abcdef");
    input_.config.ephemeral = true;
    EXPECT_EQ(plan().mode, LinkJournal::no);
}

TEST(JournalDecision, WhatIsThereOnTheHost) {
    using enum JournalEntry;
    struct Case {
        LinkJournal mode;
        JournalEntry entry;
        JournalAction action;
    };
    const Case cases[] = {
        {LinkJournal::automatic, missing, JournalAction::nothing},
        {LinkJournal::guest, missing, JournalAction::link},
        {LinkJournal::try_guest, missing, JournalAction::link},
        {LinkJournal::host, missing, JournalAction::make_and_bind},
        {LinkJournal::try_host, missing, JournalAction::make_and_bind},
        {LinkJournal::automatic, directory, JournalAction::bind},
        {LinkJournal::guest, directory, JournalAction::link},
        {LinkJournal::host, directory, JournalAction::bind},
        {LinkJournal::automatic, link_to_tree, JournalAction::make_directory},
        {LinkJournal::try_guest, link_to_tree, JournalAction::make_directory},
        {LinkJournal::host, link_to_tree, JournalAction::make_and_bind},
        {LinkJournal::automatic, other_link, JournalAction::forget_link},
        {LinkJournal::guest, other_link, JournalAction::link},
        {LinkJournal::try_host, other_link, JournalAction::make_and_bind},
        {LinkJournal::automatic, mount_point, JournalAction::skip},
        {LinkJournal::try_guest, mount_point, JournalAction::skip},
        {LinkJournal::guest, mount_point, JournalAction::refuse},
        {LinkJournal::host, mount_point, JournalAction::refuse},
        {LinkJournal::automatic, other, JournalAction::skip},
        {LinkJournal::host, other, JournalAction::refuse},
    };
    for (const Case& each : cases) {
        EXPECT_EQ(decide_journal(each.mode, each.entry), each.action)
            << to_word(each.mode) << " " << static_cast<int>(each.entry);
    }
}

} // namespace
} // namespace nspawn
