#include "base/text.hpp"
#include "config/show_config.hpp"
#include "saying.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nspawn {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

// The line of `option`, its runs of blanks made one.
std::string line_of(Saying saying, std::string_view option) {
    const std::string text = config_as_text(saying.resolved());
    for (const std::string_view line : split(text, '\n')) {
        std::string squeezed;
        for (const std::string_view word : split_any(line, " ")) {
            squeezed.append(squeezed.empty() ? "" : " ").append(word);
        }
        if (squeezed.starts_with(std::string(option) + " ")) {
            return squeezed.substr(option.size() + 1);
        }
    }
    return "";
}

TEST(ShowConfig, EveryOptionHasItsLine) {
    const std::string text = config_as_text(Saying().resolved());
    for (const Option& option : option_table()) {
        if (option.show != nullptr) {
            EXPECT_THAT(text, HasSubstr("\n" + display_name(option) + " "));
        }
    }
}

TEST(ShowConfig, SaysWhereAValueCameFrom) {
    EXPECT_EQ(line_of(Saying(), "--hostname"), "- built-in default");
    EXPECT_EQ(line_of(Saying({"--hostname=cli"}), "--hostname"), "cli command line");
    EXPECT_EQ(line_of(Saying().trusted("Exec.Hostname=a").trusted("Exec.Hostname=b"), "--hostname"),
              "b /etc/t.nspawn:2");
    EXPECT_EQ(line_of(Saying().untrusted("Exec.Hostname=a"), "--hostname"), "a /srv/u.nspawn:1");
    EXPECT_EQ(line_of(Saying({"-b"}), "--kill-signal"), "SIGRTMIN+3 implied by --boot");
    EXPECT_EQ(line_of(Saying({"--volatile"}), "--read-only"), "yes implied by --volatile");
    EXPECT_EQ(line_of(Saying({"-P"}), "--console"), "pipe command line");
    EXPECT_EQ(line_of(Saying({"-P"}), "--quiet"), "yes implied by --console=pipe");
    EXPECT_EQ(line_of(Saying().with("SYSTEMD_SUPPRESS_SYNC=1"), "--suppress-sync"), "yes $SYSTEMD_SUPPRESS_SYNC");
    EXPECT_EQ(line_of(Saying().trusted("Exec.Environment=A=1").trusted("Exec.Environment='B=2 3'"), "--setenv"),
              "A=1 'B=2 3' /etc/t.nspawn:1, /etc/t.nspawn:2");
    EXPECT_EQ(line_of(Saying({"-E", "A=1", "-E", "B=2"}), "--setenv"), "A=1 B=2 command line");
}

TEST(ShowConfig, TheWordsOfThePayload) {
    EXPECT_EQ(line_of(Saying({"ls", "a b"}), "Parameters="), "ls 'a b' command line");
    EXPECT_EQ(line_of(Saying().trusted("Exec.Boot=yes").trusted("Exec.Parameters=single"), "Parameters="),
              "single /etc/t.nspawn:2");
    EXPECT_EQ(line_of(Saying(), "Parameters="), "- built-in default");
}

TEST(ShowConfig, ValuesAreSpelledAsTheOptionsTakeThem) {
    EXPECT_EQ(line_of(Saying({"--cpu-affinity=4,0-2"}), "--cpu-affinity"), "0-2,4 command line");
    EXPECT_EQ(line_of(Saying({"--rlimit=NOFILE=5:9"}), "--rlimit"), "NOFILE=5:9 command line");
    EXPECT_EQ(line_of(Saying({"--drop-capability=CAP_KILL"}), "--drop-capability"), "CAP_KILL command line");
    EXPECT_EQ(line_of(Saying({"--capability=all"}), "--capability"), "all command line");
    EXPECT_EQ(line_of(Saying({"--system-call-filter=~@mount bpf"}), "--system-call-filter"),
              "'~@mount' '~bpf' command line");
    EXPECT_EQ(line_of(Saying({"--settings=override"}), "--settings"), "override command line");
    EXPECT_EQ(line_of(Saying({"--volatile=state"}), "--volatile"), "state command line");
    EXPECT_EQ(line_of(Saying({"--oom-score-adjust=-5"}), "--oom-score-adjust"), "-5 command line");
    EXPECT_EQ(line_of(Saying({"--background="}), "--background"), "'' command line");
}

TEST(ShowConfig, NeverShowsACredential) {
    const std::string text = config_as_text(Saying({"--set-credential=token:hunter2"}).resolved());
    EXPECT_THAT(text, HasSubstr("token (7 bytes)"));
    EXPECT_THAT(text, Not(HasSubstr("hunter2")));
    EXPECT_THAT(config_as_json(Saying({"--set-credential=token:hunter2"}).resolved()).dump(),
                Not(HasSubstr("hunter2")));
}

TEST(ShowConfig, ControlCharactersStayOffTheTerminal) {
    EXPECT_THAT(config_as_text(Saying({"-E", "A=\x1b[31m"}).resolved()), Not(HasSubstr("\x1b")));
}

TEST(ShowConfig, NamesMadeFromTheTreeAreFilledIn) {
    Resolved resolved = Saying().resolved();
    name_tree(resolved, "/srv/web", "web");
    std::string text = config_as_text(resolved);
    EXPECT_THAT(text, ContainsRegex("\n--directory +/srv/web +implied by the working directory\n"));
    EXPECT_THAT(text, ContainsRegex("\n--machine +web +implied by --directory\n"));
    EXPECT_THAT(text, ContainsRegex("\n--hostname +web +implied by --machine\n"));

    Resolved said = Saying({"-M", "web", "--hostname=other"}).resolved();
    name_tree(said, "/var/lib/machines/web", "web");
    text = config_as_text(said);
    EXPECT_THAT(text, ContainsRegex("\n--directory +/var/lib/machines/web +implied by --machine\n"));
    EXPECT_THAT(text, ContainsRegex("\n--machine +web +command line\n"));
    EXPECT_THAT(text, ContainsRegex("\n--hostname +other +command line\n"));
}

TEST(ShowConfig, Json) {
    Saying saying({"--hostname=web", "--show-config", "--json"});
    const std::string text = config_as_json(saying.resolved()).dump(false);
    EXPECT_THAT(
        text,
        HasSubstr(R"({"option":"--hostname","setting":"Exec.Hostname","values":["web"],"from":["command line"]})"));
    EXPECT_THAT(text,
                HasSubstr(R"({"option":null,"setting":"Exec.Parameters","values":[],"from":["built-in default"]})"));
}

} // namespace
} // namespace nspawn
