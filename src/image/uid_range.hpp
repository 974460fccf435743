// uid_range.hpp — finding 65536 ids of the host for a container that is nobody else's, and keeping them meanwhile.
//
// Owns the lock of the range, a file /run/systemd/nspawn-uid/BASE as systemd-nspawn has it: the ids are ours as long as
// its flock(2) is held, so that what a killed run leaves behind is free again. While a range is chosen, no program may
// add users to the host (/etc/.pwd.lock, lckpwdf(3)). Never writes the range down: the tree's owner tells it.
// Sources: spec C.11, UIDS-GIDS of systemd.
#pragma once

#include "base/inline_function.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nspawn {

inline constexpr uint32_t kFirstContainerBase = 524288;
inline constexpr uint32_t kLastContainerBase = 1878982656;

// The base of the range that `id` lies in.
constexpr uint32_t base_of_id(uint32_t id) { return id & 0xffff0000; }

// Tries the range of the tree's owner, the one that follows from the name, then random ones, until `take` says yes;
// none when 99 were refused.
std::optional<uint32_t> choose_uid_base(std::string_view machine, uint32_t tree_owner,
                                        InlineFunction<uint32_t()> random, InlineFunction<bool(uint32_t)> take);

class UidRange {
public:
    UidRange() = default;
    UidRange(UidRange&& other) noexcept;
    UidRange& operator=(UidRange&& other) noexcept;
    ~UidRange();

    // Throws when there is none, and when somebody keeps the user database locked for seconds.
    static UidRange pick(std::string_view machine, uint32_t tree_owner);

    [[nodiscard]] uint32_t base() const { return base_; }
    // Users may be added to the host again.
    void unlock_user_database() { user_database_.reset(); }

private:
    bool take(uint32_t base);

    uint32_t base_ = 0;
    std::string path_; // of the lock; empty: none
    UniqueFd lock_;
    UniqueFd user_database_;
};

} // namespace nspawn
