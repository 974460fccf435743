// answer_buffer.hpp — the caller's memory that an answer of the name service is laid out in.
//
// Owns nothing and never allocates: what does not fit is said, and the caller comes again with more.
// Source: the GNU C library's manual, "NSS Modules Interface".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nspawn {

class AnswerBuffer {
public:
    AnswerBuffer(char* memory, size_t size) : at_(memory), left_(size) {}

    // nullptr: it does not fit. `text` gets a zero byte behind it.
    char* text(std::string_view text);
    char* bytes(std::span<const uint8_t> bytes);
    template <typename T>
    T* array(size_t count) {
        return static_cast<T*>(room(count * sizeof(T), alignof(T)));
    }

private:
    void* room(size_t size, size_t alignment);

    char* at_;
    size_t left_;
};

} // namespace nspawn
