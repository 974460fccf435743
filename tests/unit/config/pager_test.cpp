#include "config/pager.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace nspawn {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

PagerChoice choose(const std::map<std::string, std::string>& environment, bool raised = false) {
    return choose_pager(
        [&](const char* name) {
            const auto found = environment.find(name);
            return found == environment.end() ? std::nullopt : std::optional<std::string>(found->second);
        },
        raised);
}

TEST(Pager, TriesLessThenMore) {
    const PagerChoice choice = choose({});
    EXPECT_THAT(choice.commands, ElementsAre(ElementsAre("less"), ElementsAre("more")));
    EXPECT_THAT(choice.environment, Contains(Pair("LESS", "FRSXMK")));
    EXPECT_THAT(choice.environment, Not(Contains(Key("LESSSECURE"))));
    EXPECT_TRUE(choice.leaves_on_interrupt);
}

TEST(Pager, WithRaisedPrivilegesOnlyOneThatHasASecureMode) {
    const PagerChoice choice = choose({{"PAGER", "evil"}}, true);
    EXPECT_THAT(choice.commands, ElementsAre(ElementsAre("less")));
    EXPECT_THAT(choice.environment, Contains(Pair("LESSSECURE", "1")));
}

TEST(Pager, AnEmptyValueOrCatTurnsItOff) {
    for (const char* value : {"", "cat"}) {
        EXPECT_THAT(choose({{"PAGER", value}}).commands, IsEmpty());
        EXPECT_THAT(choose({{"SYSTEMD_PAGER", value}, {"PAGER", "most"}}).commands, IsEmpty());
        EXPECT_THAT(choose({{"SYSTEMD_PAGER", value}}, true).commands, IsEmpty());
    }
    EXPECT_THAT(choose({{"TERM", "dumb"}}).commands, IsEmpty());
}

TEST(Pager, SystemdPagerBeatsPager) {
    const PagerChoice choice = choose({{"SYSTEMD_PAGER", "most -s"}, {"PAGER", "cat"}, {"SYSTEMD_PAGERSECURE", "no"}});
    EXPECT_THAT(choice.commands.front(), ElementsAre("most", "-s"));
}

TEST(Pager, IgnoresTheWishUnlessSecureModeWasDecidedOn) {
    EXPECT_THAT(choose({{"PAGER", "most"}}).commands, ElementsAre(ElementsAre("less"), ElementsAre("more")));
    EXPECT_THAT(choose({{"PAGER", "most"}, {"SYSTEMD_PAGERSECURE", "1"}}).commands,
                ElementsAre(ElementsAre("most"), ElementsAre("less")));
    EXPECT_THAT(choose({{"PAGER", "most"}, {"SYSTEMD_PAGERSECURE", "nonsense"}}, true).commands,
                ElementsAre(ElementsAre("less")));
}

TEST(Pager, SecureModeCanBeTurnedOffByHand) {
    EXPECT_THAT(choose({{"SYSTEMD_PAGERSECURE", "0"}}, true).environment, Not(Contains(Key("LESSSECURE"))));
}

TEST(Pager, PassesOnTheOptionsOfLess) {
    const PagerChoice choice =
        choose({{"SYSTEMD_LESS", "FRX"}, {"SYSTEMD_LESSCHARSET", "latin1"}, {"LANG", "C.UTF-8"}});
    EXPECT_THAT(choice.environment, Contains(Pair("LESS", "FRX")));
    EXPECT_THAT(choice.environment, Contains(Pair("LESSCHARSET", "latin1")));
    EXPECT_FALSE(choice.leaves_on_interrupt);
}

TEST(Pager, TellsLessOfAUtf8Terminal) {
    EXPECT_THAT(choose({{"LANG", "de_DE.utf8"}}).environment, Contains(Pair("LESSCHARSET", "utf-8")));
    EXPECT_THAT(choose({{"LANG", "C.UTF-8"}, {"LC_ALL", "C"}}).environment, Not(Contains(Key("LESSCHARSET"))));
    EXPECT_THAT(choose({}).environment, Not(Contains(Key("LESSCHARSET"))));
}

} // namespace
} // namespace nspawn
