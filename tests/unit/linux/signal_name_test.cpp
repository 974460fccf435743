#include "linux/signal_name.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace nspawn {
namespace {

TEST(ParseSignal, TakesNamesWithAndWithoutPrefixAndNumbers) {
    EXPECT_EQ(parse_signal("SIGTERM"), SIGTERM);
    EXPECT_EQ(parse_signal("TERM"), SIGTERM);
    EXPECT_EQ(parse_signal("sigterm"), SIGTERM);
    EXPECT_EQ(parse_signal("15"), 15);
    EXPECT_EQ(parse_signal("1"), SIGHUP);
    EXPECT_EQ(parse_signal("64"), 64);
    EXPECT_EQ(parse_signal("32"), 32);
}

TEST(ParseSignal, TakesSecondNames) {
    EXPECT_EQ(parse_signal("IO"), SIGIO);
    EXPECT_EQ(parse_signal("POLL"), SIGIO);
    EXPECT_EQ(parse_signal("SIGIOT"), SIGABRT);
    EXPECT_EQ(parse_signal("CLD"), SIGCHLD);
}

TEST(ParseSignal, CountsRealTimeSignalsFromBothEnds) {
    EXPECT_EQ(parse_signal("RTMIN"), SIGRTMIN);
    EXPECT_EQ(parse_signal("RTMIN+3"), SIGRTMIN + 3);
    EXPECT_EQ(parse_signal("SIGRTMIN+30"), SIGRTMAX);
    EXPECT_EQ(parse_signal("SIGRTMAX"), SIGRTMAX);
    EXPECT_EQ(parse_signal("SIGRTMAX-30"), SIGRTMIN);
    for (const char* text : {"RTMIN+31", "RTMAX-31", "RTMIN-1", "RTMAX+1", "RTMIN+", "RTMIN+-1", "RTMIN3"}) {
        EXPECT_FALSE(parse_signal(text)) << text;
    }
}

TEST(ParseSignal, RefusesWhatIsNoSignal) {
    for (const char* text :
         {"", "0", "65", "-1", "SIG", "SIG15", "TERMINATE", "SIGSIGTERM", " TERM", "TERM ", "99999999999"}) {
        EXPECT_FALSE(parse_signal(text)) << text;
    }
}

TEST(SignalName, EveryNameIsReadBackAsItsSignal) {
    const auto names = signal_names();
    ASSERT_EQ(names.size(), static_cast<size_t>(SIGRTMAX));
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
        EXPECT_EQ(parse_signal(names[static_cast<size_t>(signal - 1)]), signal);
    }
    EXPECT_EQ(signal_name(SIGTERM), "SIGTERM");
    EXPECT_EQ(signal_name(SIGIO), "SIGIO");
    EXPECT_EQ(signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
    EXPECT_EQ(signal_name(32), "32");
    EXPECT_EQ(signal_name(0), "0");
    EXPECT_EQ(signal_name(-3), "-3");
}

} // namespace
} // namespace nspawn
