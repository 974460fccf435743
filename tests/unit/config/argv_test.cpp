#include "base/error.hpp"
#include "config/argv.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nspawn {
namespace {

CommandLine parse(std::vector<std::string> words) {
    words.insert(words.begin(), "nspawn");
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    return parse_command_line(static_cast<int>(words.size()), argv.data());
}

std::string problem(std::vector<std::string> words) {
    try {
        parse(std::move(words));
    } catch (const Error& error) {
        return error.message();
    }
    return "";
}

// "name=value" or "name" for each assignment, joined by blanks.
std::string said(const CommandLine& line) {
    std::string text;
    for (const Assignment& assignment : line.assignments) {
        text.append(text.empty() ? "" : " ").append(assignment.option->name);
        if (assignment.has_value) {
            text.append("=").append(assignment.value);
        }
    }
    return text;
}

TEST(Argv, ReadsLongAndShortForms) {
    EXPECT_EQ(said(parse({"--directory=/x", "--directory", "/y", "-D", "/z", "-D/w"})),
              "directory=/x directory=/y directory=/z directory=/w");
    EXPECT_EQ(said(parse({"-xbqD", "/x"})), "ephemeral boot quiet directory=/x");
    EXPECT_EQ(said(parse({"--uid=nobody"})), "user=nobody");
}

TEST(Argv, StopsAtTheFirstWordThatIsNoOption) {
    const CommandLine line = parse({"-D", "/x", "ls", "-b", "--volatile", "--bogus"});
    EXPECT_EQ(said(line), "directory=/x");
    EXPECT_EQ(line.words, (std::vector<std::string>{"ls", "-b", "--volatile", "--bogus"}));
}

TEST(Argv, ADoubleDashEndsTheOptions) {
    const CommandLine line = parse({"-q", "--", "-b", "--"});
    EXPECT_EQ(said(line), "quiet");
    EXPECT_EQ(line.words, (std::vector<std::string>{"-b", "--"}));
    EXPECT_TRUE(parse({"--"}).words.empty());
}

TEST(Argv, ASingleDashIsAWord) { EXPECT_EQ(parse({"-", "-b"}).words, (std::vector<std::string>{"-", "-b"})); }

TEST(Argv, EmptyWordsAndValuesAreKept) {
    EXPECT_EQ(parse({"", "-b"}).words, (std::vector<std::string>{"", "-b"}));
    const CommandLine line = parse({"-D", "", "--machine="});
    ASSERT_EQ(line.assignments.size(), 2U);
    EXPECT_TRUE(line.assignments[0].has_value);
    EXPECT_TRUE(line.assignments[1].has_value);
    EXPECT_EQ(line.assignments[1].value, "");
}

TEST(Argv, OptionalValuesNeedTheEqualsSign) {
    const CommandLine line = parse({"--volatile", "state"});
    EXPECT_EQ(said(line), "volatile");
    EXPECT_FALSE(line.assignments[0].has_value);
    EXPECT_EQ(line.words, std::vector<std::string>{"state"});
    EXPECT_EQ(said(parse({"--volatile=state", "--read-only=no", "--boot=yes"})),
              "volatile=state read-only=no boot=yes");
}

TEST(Argv, TakesAbbreviationsWhenThereIsOneMeaning) {
    EXPECT_EQ(said(parse({"--dir=/x", "--epheme", "--vol=yes"})), "directory=/x ephemeral volatile=yes");
    EXPECT_EQ(said(parse({"--capa=all"})), "capability=all");
}

TEST(Argv, RemembersHowItWasSpelled) {
    const CommandLine line = parse({"-D", "/x", "--rlim=NOFILE=1"});
    EXPECT_EQ(line.assignments[0].spelled, "-D");
    EXPECT_EQ(line.assignments[0].describe(), "-D /x");
    EXPECT_EQ(line.assignments[1].describe(), "--rlimit=NOFILE=1");
    EXPECT_EQ(line.assignments[1].origin.describe(), "command line");
}

TEST(Argv, SaysWhatIsWrongInOneLine) {
    EXPECT_EQ(problem({"--bogus"}), "--bogus: unknown option (see --help)");
    EXPECT_EQ(problem({"--bogus=value"}), "--bogus: unknown option (see --help)");
    EXPECT_EQ(problem({"-y"}), "-y: unknown option (see --help)");
    EXPECT_EQ(problem({"-xy"}), "-y: unknown option (see --help)");
    EXPECT_EQ(problem({"-q", "-x", "--bogus"}), "--bogus: unknown option (see --help)");
    EXPECT_EQ(problem({"--directory"}), "--directory: a value is missing (PATH)");
    EXPECT_EQ(problem({"-xD"}), "-D: a value is missing (PATH)");
    EXPECT_EQ(problem({"--json=yes"}), "--json: this option takes no value");
    EXPECT_EQ(problem({"--help=x"}), "--help: this option takes no value");
    EXPECT_EQ(problem({"-\x1b"}), "-\\x1b: unknown option (see --help)");
    EXPECT_EQ(problem({"--\x1b[31m"}), "--\\x1b[31m: unknown option (see --help)");
}

TEST(Argv, AnAmbiguousAbbreviationNamesItsMeanings) {
    EXPECT_EQ(problem({"-q", "--set=1"}),
              "--set: ambiguous option, it could be --settings, --setenv, --set-credential");
    EXPECT_EQ(problem({"--="}), "--: unknown option (see --help)");
}

TEST(Argv, RequestsEndTheReading) {
    EXPECT_EQ(parse({"--version", "--bogus"}).request->kind, RequestKind::version);
    EXPECT_EQ(parse({"-h", "--bogus"}).request->kind, RequestKind::help);
    EXPECT_FALSE(parse({"true", "--help"}).request.has_value());
    EXPECT_EQ(problem({"--bogus", "--version"}), "--bogus: unknown option (see --help)");
}

TEST(Argv, HelpAsAValueListsTheValues) {
    for (const char* name : {"volatile", "kill-signal", "rlimit", "console", "capability", "drop-capability",
                             "ambient-capability", "personality"}) {
        const CommandLine line = parse({std::string("--") + name + "=help"});
        ASSERT_TRUE(line.request.has_value()) << name;
        EXPECT_EQ(line.request->kind, RequestKind::list_values);
        EXPECT_EQ(line.request->option, find_option(name));
    }
    EXPECT_FALSE(parse({"--machine=help"}).request.has_value());
}

TEST(Argv, NoPagerCountsOnEitherSideOfHelp) {
    EXPECT_TRUE(parse({"--help"}).pager);
    EXPECT_FALSE(parse({"--no-pager", "--help"}).pager);
    EXPECT_FALSE(parse({"--help", "--no-pager"}).pager);
    EXPECT_FALSE(parse({"-D", "/x", "--no-pager", "-h"}).pager);
    EXPECT_TRUE(parse({"--help", "true", "--no-pager"}).pager);
}

TEST(Argv, ACallWithoutEvenAProgramNameIsAnEmptyCommandLine) {
    char* nothing[] = {nullptr};
    const CommandLine line = parse_command_line(0, nothing);
    EXPECT_TRUE(line.assignments.empty());
    EXPECT_TRUE(line.words.empty());
}

TEST(Argv, CanBeCalledAgain) {
    EXPECT_EQ(problem({"-xy"}), "-y: unknown option (see --help)");
    EXPECT_EQ(said(parse({"-q", "-x"})), "quiet ephemeral");
}

TEST(Assignment, MessagesShowNoSecretsAndStayOneShortLine) {
    EXPECT_EQ(parse({"--set-credential=id:secret"}).assignments[0].describe(), "--set-credential=id:…");
    const std::string text = parse({"--setenv=A=" + std::string(1000, 'x')}).assignments[0].describe();
    EXPECT_LT(text.size(), 200U);
    EXPECT_EQ(parse({"--hostname=a\nb"}).assignments[0].describe(), "--hostname=a\\x0ab");
}

} // namespace
} // namespace nspawn
