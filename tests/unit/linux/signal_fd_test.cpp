#include "linux/signal_fd.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

namespace nspawn {
namespace {

TEST(SignalFd, ReadsBlockedSignalsAndCanRestoreTheMask) {
    sigset_t before;
    sigprocmask(SIG_SETMASK, nullptr, &before);
    SignalFd signals = SignalFd::block({SIGUSR1, SIGRTMIN + 4}).or_throw("test");

    EXPECT_FALSE(signals.next().or_throw("test").has_value());
    // A process-directed signal: both kinds arrive, with their sender.
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGRTMIN + 4);
    const auto first = signals.next().or_throw("test");
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->ssi_signo, static_cast<uint32_t>(SIGUSR1));
    EXPECT_EQ(first->ssi_pid, static_cast<uint32_t>(getpid()));
    const auto second = signals.next().or_throw("test");
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ(second->ssi_signo, static_cast<uint32_t>(SIGRTMIN + 4));
    EXPECT_FALSE(signals.next().or_throw("test").has_value());

    EXPECT_EQ(sigismember(&signals.previous_mask(), SIGUSR1), sigismember(&before, SIGUSR1));
    EXPECT_TRUE(signals.restore_mask().ok());
    sigset_t after;
    sigprocmask(SIG_SETMASK, nullptr, &after);
    EXPECT_EQ(sigismember(&after, SIGUSR1), 0);
}

TEST(SignalFd, RefusesANumberThatIsNoSignalAndBlocksNothing) {
    EXPECT_EQ(SignalFd::block({SIGUSR2, 4096}).error(), EINVAL);
    sigset_t mask;
    sigprocmask(SIG_SETMASK, nullptr, &mask);
    EXPECT_EQ(sigismember(&mask, SIGUSR2), 0);
}

} // namespace
} // namespace nspawn
