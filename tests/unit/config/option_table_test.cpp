#include "config/config.hpp"
#include "config/option.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace nspawn {
namespace {

TEST(OptionTable, EveryRowIsFoundByEachOfItsNames) {
    for (const Option& option : option_table()) {
        const std::string shown = display_name(option);
        EXPECT_TRUE(!option.name.empty() || !option.setting.empty() || option.letter != '\0') << shown;
        for (const std::string_view name : {option.name, option.alias}) {
            if (!name.empty()) {
                EXPECT_EQ(find_option(name), &option) << name;
            }
        }
        if (option.letter != '\0') {
            EXPECT_EQ(find_option(option.letter), &option) << option.letter;
        }
        std::vector<std::string_view> settings(option.more_settings.begin(), option.more_settings.end());
        if (!option.setting.empty()) {
            settings.push_back(option.setting);
        }
        for (const std::string_view setting : settings) {
            const size_t dot = setting.find('.');
            ASSERT_NE(dot, std::string_view::npos) << setting;
            EXPECT_EQ(find_setting(setting.substr(0, dot), setting.substr(dot + 1)), &option) << setting;
            EXPECT_TRUE(is_settings_section(setting.substr(0, dot)));
        }
    }
}

TEST(OptionTable, NamesLettersAndSettingsAreUnique) {
    std::map<std::string_view, int> seen;
    std::map<char, int> letters;
    for (const Option& option : option_table()) {
        for (const std::string_view name : {option.name, option.alias, option.setting}) {
            ++seen[name];
        }
        for (const std::string_view setting : option.more_settings) {
            ++seen[setting];
        }
        ++letters[option.letter];
    }
    seen.erase("");
    letters.erase('\0');
    for (const auto& [name, count] : seen) {
        EXPECT_EQ(count, 1) << name;
    }
    for (const auto& [letter, count] : letters) {
        EXPECT_EQ(count, 1) << letter;
    }
}

TEST(OptionTable, EveryRowDoesSomethingAndShowsIt) {
    for (const Option& option : option_table()) {
        const bool asks = option.request != RequestKind::none;
        EXPECT_EQ(option.apply == nullptr, asks) << display_name(option);
        const int ways = (option.show != nullptr ? 1 : 0) + (option.shown_with.empty() ? 0 : 1);
        EXPECT_EQ(ways, asks ? 0 : 1) << display_name(option);
        if (!option.shown_with.empty()) {
            const Option* other = find_option(option.shown_with);
            ASSERT_NE(other, nullptr) << option.shown_with;
            EXPECT_NE(other->show, nullptr);
        }
        EXPECT_EQ(option.metavar.empty(), option.argument == Argument::none) << display_name(option);
        EXPECT_FALSE(option.help.empty()) << display_name(option);
        EXPECT_FALSE(option.help.ends_with('.')) << display_name(option);
    }
}

TEST(OptionTable, SettingsHaveAMaskGroupAndOthersNeedNone) {
    for (const Option& option : option_table()) {
        // A shorthand has the group of what it is short for.
        if (option.setting.empty() && !option.shown_with.empty()) {
            EXPECT_EQ(option.group, find_option(option.shown_with)->group) << display_name(option);
            continue;
        }
        EXPECT_EQ(option.setting.empty(), option.group == MaskGroup::none) << display_name(option);
        if (option.setting.empty()) {
            EXPECT_EQ(option.trust, Trust::trusted_only) << display_name(option);
        }
    }
}

// The list of what an image may say about itself: whoever adds to it has to say so here too.
TEST(OptionTable, WhatAnUntrustedFileMaySetIsExactlyThis) {
    std::set<std::string_view> open;
    for (const Option& option : option_table()) {
        if (option.trust != Trust::trusted_only) {
            open.insert(option.setting);
            EXPECT_TRUE(option.more_settings.empty()) << option.setting;
        }
    }
    const std::set<std::string_view> expected = {"Exec.Boot",
                                                 "Exec.DropCapability",
                                                 "Exec.Environment",
                                                 "Exec.Hostname",
                                                 "Exec.KillSignal",
                                                 "Exec.NotifyReady",
                                                 "Exec.NoNewPrivileges",
                                                 "Exec.Parameters",
                                                 "Exec.Personality",
                                                 "Exec.ProcessTwo",
                                                 "Exec.ResolvConf",
                                                 "Exec.Timezone",
                                                 "Exec.SuppressSync",
                                                 "Exec.SystemCallFilter",
                                                 "Exec.User",
                                                 "Exec.WorkingDirectory",
                                                 "Files.ReadOnly",
                                                 "Files.Volatile"};
    EXPECT_EQ(open, expected);
}

TEST(OptionTable, ConflictsNameOptions) {
    for (const Option& option : option_table()) {
        for (const std::string_view name : option.conflicts) {
            EXPECT_NE(find_option(name), nullptr) << name;
        }
    }
}

TEST(OptionTable, OptionsThatListTheirValuesHaveSome) {
    for (const Option& option : option_table()) {
        if (option.lists_values) {
            EXPECT_FALSE(values_of(option).empty()) << option.name;
        }
    }
    const auto signals = values_of(*find_option("kill-signal"));
    EXPECT_NE(std::find(signals.begin(), signals.end(), "SIGTERM"), signals.end());
    const auto limits = values_of(*find_option("rlimit"));
    EXPECT_EQ(limits.size(), 16U);
    EXPECT_EQ(values_of(*find_option("volatile")), (std::vector<std::string>{"no", "yes", "state", "overlay"}));
    EXPECT_TRUE(values_of(*find_option("chdir")).empty());
}

TEST(OptionTable, AllSixteenLimitsAreSettings) {
    for (const std::string& name : values_of(*find_option("rlimit"))) {
        EXPECT_EQ(find_setting("Exec", "Limit" + name), find_option("rlimit")) << name;
    }
}

TEST(OptionTable, UnknownNamesAreNotFound) {
    EXPECT_EQ(find_option(""), nullptr);
    EXPECT_EQ(find_option("director"), nullptr);
    EXPECT_EQ(find_option('\0'), nullptr);
    EXPECT_EQ(find_option('?'), nullptr);
    EXPECT_EQ(find_setting("exec", "User"), nullptr);
    EXPECT_EQ(find_setting("Exec", "user"), nullptr);
    EXPECT_EQ(find_setting("", "Exec.User"), nullptr);
    EXPECT_EQ(find_setting("Exec.", "ser"), nullptr);
    EXPECT_FALSE(is_settings_section("Exe"));
    EXPECT_FALSE(is_settings_section(""));
}

} // namespace
} // namespace nspawn
