#include "linux/event_loop.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace nspawn {
namespace {

EventLoop make_loop() { return EventLoop::create().or_throw("test"); }

UniqueFd make_ready_event() { return UniqueFd(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)); }

using Duration = EventLoop::Duration;

TEST(EventLoop, CallsTheHandlerOfAReadyDescriptorOnly) {
    EventLoop loop = make_loop();
    const UniqueFd ready = make_ready_event();
    const UniqueFd silent(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    uint32_t seen = 0;
    bool wrong = false;
    ASSERT_TRUE(loop.watch(ready.get(), EPOLLIN, [&seen](uint32_t events) { seen = events; }).ok());
    ASSERT_TRUE(loop.watch(silent.get(), EPOLLIN, [&wrong](uint32_t) { wrong = true; }).ok());
    ASSERT_TRUE(loop.run_once(Duration(0)).ok());
    EXPECT_EQ(seen, static_cast<uint32_t>(EPOLLIN));
    EXPECT_FALSE(wrong);
}

TEST(EventLoop, RunEndsWithStop) {
    EventLoop loop = make_loop();
    const UniqueFd ready = make_ready_event();
    int calls = 0;
    ASSERT_TRUE(loop.watch(ready.get(), EPOLLIN,
                           [&](uint32_t) {
                               if (++calls == 3) {
                                   loop.stop();
                               }
                           })
                    .ok());
    EXPECT_TRUE(loop.run().ok());
    EXPECT_EQ(calls, 3);
}

TEST(EventLoop, RunRefusesToWaitForNothing) { EXPECT_EQ(make_loop().run().error(), EDEADLK); }

TEST(EventLoop, AHandlerMayForgetEveryDescriptorThatIsReady) {
    EventLoop loop = make_loop();
    struct {
        EventLoop& loop;
        std::vector<UniqueFd> events;
        int calls = 0;
    } test{loop, {}};
    for (int i = 0; i < 3; ++i) {
        test.events.push_back(make_ready_event());
        ASSERT_TRUE(loop.watch(test.events.back().get(), EPOLLIN,
                               [&test](uint32_t) {
                                   ++test.calls;
                                   for (const UniqueFd& event : test.events) {
                                       test.loop.forget(event.get());
                                   }
                               })
                        .ok());
    }
    ASSERT_TRUE(loop.run_once(Duration(0)).ok());
    EXPECT_EQ(test.calls, 1);
}

TEST(EventLoop, AnEventForAForgottenDescriptorDoesNotReachTheNextTenantOfItsSlot) {
    EventLoop loop = make_loop();
    struct {
        EventLoop& loop;
        UniqueFd first = make_ready_event();
        UniqueFd second = make_ready_event();
        UniqueFd silent{eventfd(0, EFD_CLOEXEC)};
        int calls = 0;
        bool wrong = false;
    } test{loop};
    // Whichever comes first replaces the other one in its slot by a descriptor that is not ready.
    const auto replace = [&test](int victim) {
        ++test.calls;
        test.loop.forget(victim);
        ASSERT_TRUE(test.loop.watch(test.silent.get(), EPOLLIN, [&test](uint32_t) { test.wrong = true; }).ok());
    };
    ASSERT_TRUE(loop.watch(test.first.get(), EPOLLIN, [&](uint32_t) { replace(test.second.get()); }).ok());
    ASSERT_TRUE(loop.watch(test.second.get(), EPOLLIN, [&](uint32_t) { replace(test.first.get()); }).ok());
    ASSERT_TRUE(loop.run_once(Duration(0)).ok());
    EXPECT_EQ(test.calls, 1);
    EXPECT_FALSE(test.wrong);
}

TEST(EventLoop, ChangeSwitchesTheEventsOfAWatch) {
    EventLoop loop = make_loop();
    const UniqueFd event = make_ready_event();
    uint32_t seen = 0;
    ASSERT_TRUE(loop.watch(event.get(), EPOLLIN, [&seen](uint32_t events) { seen = events; }).ok());
    ASSERT_TRUE(loop.change(event.get(), EPOLLOUT).ok());
    ASSERT_TRUE(loop.run_once(Duration(0)).ok());
    EXPECT_EQ(seen, static_cast<uint32_t>(EPOLLOUT));
    loop.forget(event.get());
    EXPECT_EQ(loop.change(event.get(), EPOLLIN).error(), ENOENT);
}

TEST(EventLoop, AnswersWhatItCannotDo) {
    EventLoop loop = make_loop();
    const UniqueFd event = make_ready_event();
    const UniqueFd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(loop.watch(-1, EPOLLIN, [](uint32_t) {}).error(), EBADF);
    EXPECT_EQ(loop.watch(file.get(), EPOLLIN, [](uint32_t) {}).error(), EPERM);
    ASSERT_TRUE(loop.watch(event.get(), EPOLLIN, [](uint32_t) {}).ok());
    EXPECT_EQ(loop.watch(event.get(), EPOLLIN, [](uint32_t) {}).error(), EEXIST);
    EXPECT_TRUE(loop.is_watching(event.get()));
    loop.forget(file.get());
    loop.forget(-1);
    EXPECT_FALSE(loop.is_watching(-1));
}

TEST(EventLoop, TheTableHasAnEndAndSlotsAreReused) {
    EventLoop loop = make_loop();
    std::vector<UniqueFd> events;
    for (size_t i = 0; i < EventLoop::kMaxWatches; ++i) {
        events.push_back(make_ready_event());
        ASSERT_TRUE(loop.watch(events.back().get(), EPOLLIN, [](uint32_t) {}).ok());
    }
    const UniqueFd surplus = make_ready_event();
    EXPECT_EQ(loop.watch(surplus.get(), EPOLLIN, [](uint32_t) {}).error(), ENOSPC);
    loop.forget(events.front().get());
    EXPECT_TRUE(loop.watch(surplus.get(), EPOLLIN, [](uint32_t) {}).ok());
}

TEST(EventLoop, TimersFireOnceInTimeAndInOrderOfTheirDeadlines) {
    EventLoop loop = make_loop();
    const auto begin = std::chrono::steady_clock::now();
    struct {
        EventLoop& loop;
        std::vector<int> order;
    } test{loop, {}};
    ASSERT_TRUE(loop.start_timer(Duration(20),
                                 [&test] {
                                     test.order.push_back(2);
                                     test.loop.stop();
                                 })
                    .ok());
    ASSERT_TRUE(loop.start_timer(Duration(1), [&test] { test.order.push_back(1); }).ok());
    EXPECT_TRUE(loop.run().ok());
    EXPECT_EQ(test.order, (std::vector{1, 2}));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, Duration(20));
    EXPECT_EQ(loop.run().error(), EDEADLK);
}

TEST(EventLoop, ACancelledTimerStaysSilentAndItsNameGoesStale) {
    EventLoop loop = make_loop();
    bool first = false;
    bool second = false;
    const EventLoop::TimerId cancelled = loop.start_timer(Duration(0), [&first] { first = true; }).or_throw("test");
    loop.cancel_timer(cancelled);
    ASSERT_TRUE(loop.start_timer(Duration(0), [&second] { second = true; }).ok());
    loop.cancel_timer(cancelled);
    loop.cancel_timer({});
    ASSERT_TRUE(loop.run_once(Duration(0)).ok());
    EXPECT_FALSE(first);
    EXPECT_TRUE(second);
}

TEST(EventLoop, ATimerMayStartItsSuccessor) {
    struct Ticker {
        EventLoop loop = make_loop();
        int ticks = 0;
        void start() {
            ASSERT_TRUE(loop.start_timer(Duration(1),
                                         [this] {
                                             if (++ticks < 20) {
                                                 start();
                                             } else {
                                                 loop.stop();
                                             }
                                         })
                            .ok());
        }
    } ticker;
    ticker.start();
    EXPECT_TRUE(ticker.loop.run().ok());
    EXPECT_EQ(ticker.ticks, 20);
}

} // namespace
} // namespace nspawn
