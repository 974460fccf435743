// id_map.hpp — which user and group ids of the host the ids of a user namespace stand for.
//
// Pure values and their text form, and the two things the kernel does with them: giving them to a process that was born
// in a new user namespace, and holding them in a user namespace that nobody runs in (for id-mapped mounts).
// Source: user_namespaces(7) "User and group ID mappings", mount_setattr(2) MOUNT_ATTR_IDMAP.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace nspawn {

// (uid_t) -1 means "no change" to the kernel; the last id is one below it.
inline constexpr uint32_t kLastId = UINT32_MAX - 1;
inline constexpr uint32_t kIdsPerContainer = 65536;

// `count` ids from `inside` on, as the namespace sees them, are those from `outside` on.
struct IdRange {
    uint32_t inside = 0;
    uint32_t outside = 0;
    uint32_t count = 0;

    bool operator==(const IdRange&) const = default;
};
using IdRanges = std::vector<IdRange>;

struct IdMap {
    IdRanges users;
    IdRanges groups;

    [[nodiscard]] bool empty() const { return users.empty() && groups.empty(); }
    bool operator==(const IdMap&) const = default;
};

// Ids from 0 on are those from `base` on, users and groups alike.
IdMap shifted_id_map(uint32_t base, uint32_t count = kIdsPerContainer);

// What is wrong with them, as the end of a sentence ("… overlaps …"): empty or too long ranges, ids that belong to two,
// more ranges than the kernel takes. Empty: nothing.
std::string find_id_range_problem(std::span<const IdRange> ranges);

// The id outside that `inside` stands for, and the other way round; none: it is not mapped.
std::optional<uint32_t> id_outside(std::span<const IdRange> ranges, uint32_t inside);
std::optional<uint32_t> id_inside(std::span<const IdRange> ranges, uint32_t outside);

// "0 524288 65536\n", as uid_map takes it.
std::string id_map_text(std::span<const IdRange> ranges);
// "0:524288:65536,1000:1000:1", for people.
std::string describe_id_ranges(std::span<const IdRange> ranges);

// The ids that this process's own user namespace has, so that it can give them on.
class OwnIds {
public:
    static Result<OwnIds> read();

    // In the namespace that the host's init is in, which has all of them.
    [[nodiscard]] bool are_all() const;
    [[nodiscard]] bool contain(uint32_t first, uint32_t count) const;

private:
    explicit OwnIds(IdRanges ranges) : ranges_(std::move(ranges)) {}
    IdRanges ranges_;
};
// Lines of uid_map; malformed ones are left out.
IdRanges parse_id_map(std::string_view text);

// The one that the host's init is in: only there device nodes can be made, mknod(2), and trusted.* attributes be set.
bool in_initial_user_namespace();

// Gives a process in a new user namespace its ids. EPERM: not all of them are ours to give.
Result<void> write_id_maps(pid_t process, const IdMap& map);
// A user namespace with these maps in which nothing runs; it lives as long as the descriptor.
Result<UniqueFd> make_user_namespace(const IdMap& map);

} // namespace nspawn
