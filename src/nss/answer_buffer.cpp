#include "nss/answer_buffer.hpp"

#include <cstring>
#include <memory>

namespace nspawn {

void* AnswerBuffer::room(size_t size, size_t alignment) {
    void* start = at_;
    if (std::align(alignment, size, start, left_) == nullptr) {
        return nullptr;
    }
    at_ = static_cast<char*>(start) + size;
    left_ -= size;
    return start;
}

char* AnswerBuffer::text(std::string_view text) {
    auto* const start = static_cast<char*>(room(text.size() + 1, 1));
    if (start != nullptr) {
        std::memcpy(start, text.data(), text.size());
        start[text.size()] = '\0';
    }
    return start;
}

char* AnswerBuffer::bytes(std::span<const uint8_t> bytes) {
    auto* const start = static_cast<char*>(room(bytes.size(), alignof(uint32_t)));
    if (start != nullptr) {
        std::memcpy(start, bytes.data(), bytes.size());
    }
    return start;
}

} // namespace nspawn
