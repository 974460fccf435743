#include "run/timeline.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>

#include <sys/mman.h>

namespace nspawn {

namespace {

constexpr size_t kMaxMarks = 100;

uint64_t now_nanoseconds() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(time.tv_nsec);
}

} // namespace

struct Timeline::Page {
    struct Mark {
        const char* stage; // string literals have the same address in the child
        uint64_t time;
        char side;
    };
    uint64_t start;
    std::atomic<size_t> count;
    std::array<Mark, kMaxMarks> marks;
};

Timeline::~Timeline() {
    if (page_ != nullptr) {
        munmap(page_, sizeof(Page));
    }
}

void Timeline::enable() {
    void* memory = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        throw_system_error(errno, "mmap", "making room for --timing");
    }
    page_ = new (memory) Page{};
    page_->start = now_nanoseconds();
}

void Timeline::mark(char side, const char* stage) {
    if (page_ == nullptr) {
        return;
    }
    const size_t index = page_->count.fetch_add(1, std::memory_order_relaxed);
    if (index < kMaxMarks) {
        page_->marks[index] = {stage, now_nanoseconds(), side};
    }
}

std::string Timeline::report() const {
    std::string text = "    at µs   took µs  where       stage\n";
    if (page_ == nullptr) {
        return text;
    }
    uint64_t last_supervisor = page_->start;
    uint64_t last_child = page_->start;
    const size_t count = std::min(page_->count.load(), kMaxMarks);
    for (size_t i = 0; i < count; ++i) {
        const Page::Mark& mark = page_->marks[i];
        const bool child = mark.side == 'C';
        uint64_t& last = child ? last_child : last_supervisor;
        if (child && last_child == page_->start) {
            last = last_supervisor; // the child's life begins where the supervisor made it
        }
        text += fmt::format("{:9.1f} {:9.1f}  {:<10}  {}\n", static_cast<double>(mark.time - page_->start) / 1000,
                            static_cast<double>(mark.time - std::min(last, mark.time)) / 1000,
                            child ? "child" : "supervisor", mark.stage);
        last = mark.time;
    }
    return text;
}

} // namespace nspawn
