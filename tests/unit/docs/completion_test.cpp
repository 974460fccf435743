#include "config/settings_keys.hpp"
#include "docs/completion.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

namespace nspawn::docs {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Option& option(std::string_view name) { return *find_option(name); }

TEST(Completion, KnowsEverySpellingOfEveryOptionInEveryShell) {
    const std::string bash = bash_completion();
    const std::string zsh = zsh_completion();
    const std::string fish = fish_completion();
    for (const Option& each : option_table()) {
        for (const std::string& spelling : spellings(each)) {
            EXPECT_THAT(bash, ContainsRegex("[' ]" + spelling + "[=' ]")) << spelling;
            EXPECT_THAT(zsh, ContainsRegex("[)*]" + spelling + "[=+-]*[[]")) << spelling;
            const std::string flag =
                spelling.starts_with("--") ? " -l " + spelling.substr(2) : " -s " + spelling.substr(1);
            EXPECT_THAT(fish, HasSubstr(flag + " ")) << spelling;
        }
    }
}

TEST(Completion, ServesBothNamesOfTheProgram) {
    EXPECT_THAT(bash_completion(), HasSubstr("complete -F _nspawn nspawn systemd-nspawn"));
    EXPECT_THAT(zsh_completion(), HasSubstr("#compdef nspawn systemd-nspawn\n"));
    EXPECT_THAT(fish_completion(), HasSubstr("complete -c systemd-nspawn "));
}

TEST(Completion, OffersFixedWordsAndHelpWhereTheOptionListsItsValues) {
    EXPECT_THAT(value_words(option("settings")), ElementsAre("no", "yes", "override", "trusted"));
    EXPECT_THAT(value_words(option("volatile")), ElementsAre("no", "yes", "state", "overlay", "help"));
    EXPECT_THAT(value_words(option("register")), ElementsAre("no", "yes"));
    EXPECT_THAT(value_words(option("directory")), ElementsAre());
}

TEST(Completion, NamesEachWayToWriteAnOption) {
    EXPECT_THAT(spellings(option("user")), ElementsAre("--user", "--uid", "-u"));
    EXPECT_THAT(spellings(option("version")), ElementsAre("--version"));
}

TEST(Completion, EveryKindOfValueIsServedOrLeftToTheUser) {
    for (const Option& each : option_table()) {
        const bool must_have_words =
            each.completion == Completion::words || each.completion == Completion::signal ||
            each.completion == Completion::capability || each.completion == Completion::limit ||
            each.completion == Completion::personality || each.completion == Completion::boolean;
        EXPECT_EQ(value_words(each).empty(), !must_have_words) << each.name;
    }
}

TEST(Dictionary, HoldsEveryOptionAndKeyInTheFuzzersFormat) {
    const std::string settings = settings_dictionary();
    for (const std::string_view setting : documented_settings()) {
        EXPECT_THAT(settings, HasSubstr(std::string(setting.substr(setting.find('.') + 1)) + "=\"\n"));
    }
    const std::string command_line = command_line_dictionary();
    for (const Option& each : option_table()) {
        for (const std::string& spelling : spellings(each)) {
            EXPECT_THAT(command_line, HasSubstr("\"" + spelling + "\"\n"));
        }
    }
    const std::regex entry(R"re((#.*|"([^"\\]|\\["\\]|\\x[0-9a-f]{2})+"))re");
    for (const std::string& text : {settings, command_line}) {
        size_t start = 0;
        for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
            EXPECT_TRUE(std::regex_match(text.substr(start, end - start), entry)) << text.substr(start, end - start);
            start = end + 1;
        }
        EXPECT_EQ(start, text.size());
    }
}

} // namespace
} // namespace nspawn::docs
