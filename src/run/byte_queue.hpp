// byte_queue.hpp — a bounded buffer between a reader and a writer. Allocates once, never drops a byte by itself.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

namespace nspawn {

template <size_t Capacity>
class ByteQueue {
public:
    [[nodiscard]] bool is_empty() const { return begin_ == end_; }
    [[nodiscard]] size_t size() const { return end_ - begin_; }
    [[nodiscard]] size_t room() const { return Capacity - size(); }
    [[nodiscard]] std::string_view content() const { return {bytes_.get() + begin_, size()}; }

    // As much of `data` as there is room for; the answer is how much that was.
    size_t append(std::string_view data) {
        allocate();
        if (Capacity - end_ < data.size()) {
            std::memmove(bytes_.get(), bytes_.get() + begin_, size());
            end_ = size();
            begin_ = 0;
        }
        const size_t count = std::min(data.size(), Capacity - end_);
        data.copy(bytes_.get() + end_, count);
        end_ += count;
        return count;
    }
    void consume(size_t count) {
        begin_ += std::min(count, size());
        if (is_empty()) {
            clear();
        }
    }
    // Otherwise done by the first append(): a queue that is never used takes no memory.
    void allocate() {
        if (!bytes_) {
            bytes_ = std::make_unique_for_overwrite<char[]>(Capacity);
        }
    }
    void clear() { begin_ = end_ = 0; }

private:
    size_t begin_ = 0;
    size_t end_ = 0;
    std::unique_ptr<char[]> bytes_; // NOLINT(cppcoreguidelines-avoid-c-arrays,modernize-avoid-c-arrays)
};

} // namespace nspawn
