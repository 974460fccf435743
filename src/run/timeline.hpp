// timeline.hpp — how long each stage took, in the supervisor and in its child.
//
// Owns one shared anonymous page, made only when --timing asks for it; both processes append to it. Prints after the
// container has ended. Costs nothing when off.
#pragma once

#include <cstdint>
#include <string>

namespace nspawn {

class Timeline {
public:
    Timeline() = default;
    Timeline(const Timeline&) = delete;
    Timeline& operator=(const Timeline&) = delete;
    ~Timeline();

    void enable();
    [[nodiscard]] bool enabled() const { return page_ != nullptr; }
    // Notes that `stage` (a string literal) ended now; `side` is 'S' (supervisor) or 'C' (child).
    void mark(char side, const char* stage);
    // One line per stage: microseconds since the start, microseconds taken, side, name.
    [[nodiscard]] std::string report() const;

private:
    struct Page;
    Page* page_ = nullptr;
};

} // namespace nspawn
