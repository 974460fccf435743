// work_stack.hpp — a tree of work shared by a few threads: doing one item brings forth more of them.
//
// Last in, first out, so that little waits at a time. Ends when nothing is left and nobody is at work; the first
// exception of any thread stops all and becomes the caller's. The caller works too, so that one thread makes none. Not
// for the plain start: a process that had a second thread is a little slower ever after.
#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace nspawn {

template <typename Item>
class WorkStack {
public:
    void push(Item item) {
        {
            const std::lock_guard lock(mutex_);
            items_.push_back(std::move(item));
        }
        changed_.notify_one();
    }

    // make_worker() is called once by each thread and answers its worker, which is called with each item.
    template <typename MakeWorker>
    void work_off(unsigned threads, const MakeWorker& make_worker) {
        const auto work = [&] { work_until_done(make_worker); };
        std::vector<std::thread> helpers;
        try {
            while (helpers.size() + 1 < threads) {
                helpers.emplace_back(work);
            }
        } catch (const std::exception&) {
            // No more threads to be had: those that are there do it.
        }
        work();
        for (std::thread& helper : helpers) {
            helper.join();
        }
        if (failure_) {
            std::rethrow_exception(failure_);
        }
    }

private:
    template <typename MakeWorker>
    void work_until_done(const MakeWorker& make_worker) {
        try {
            auto worker = make_worker();
            std::unique_lock lock(mutex_);
            while (wait_for_item(lock)) {
                Item item = std::move(items_.back());
                items_.pop_back();
                ++busy_;
                lock.unlock();
                worker(std::move(item));
                lock.lock();
                --busy_;
            }
        } catch (...) {
            const std::lock_guard lock(mutex_);
            failure_ = failure_ ? failure_ : std::current_exception();
        }
        changed_.notify_all();
    }

    bool wait_for_item(std::unique_lock<std::mutex>& lock) {
        changed_.wait(lock, [&] { return !items_.empty() || busy_ == 0 || failure_; });
        return !items_.empty() && !failure_;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Item> items_;
    unsigned busy_ = 0;
    std::exception_ptr failure_;
};

} // namespace nspawn
