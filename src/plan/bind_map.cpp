#include "plan/bind_map.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn {

namespace {

constexpr IdRange kEverything{0, 0, UINT32_MAX}; // 0 to kLastId

const IdRanges& or_everything(const IdRanges& ranges) {
    static const IdRanges everything = {kEverything};
    return ranges.empty() ? everything : ranges;
}

// From the disk through the container to the host, cut at the borders of the container's ranges.
IdRanges compose(const IdRanges& wanted, const IdRanges& container) {
    IdRanges result;
    for (const IdRange& want : wanted) {
        uint64_t covered = 0;
        for (const IdRange& range : container) {
            const uint64_t first = std::max<uint64_t>(want.inside, range.inside);
            const uint64_t end =
                std::min(uint64_t{want.inside} + want.count, uint64_t{range.inside} + uint64_t{range.count});
            if (first < end) {
                result.push_back({static_cast<uint32_t>(want.outside + (first - want.inside)),
                                  static_cast<uint32_t>(range.outside + (first - range.inside)),
                                  static_cast<uint32_t>(end - first)});
                covered += end - first;
            }
        }
        if (covered != want.count) {
            throw Error(fmt::format("the container has not all of the ids {} to {}", want.inside,
                                    uint64_t{want.inside} + want.count - 1));
        }
    }
    return result;
}

IdMap one_owner(const Owner& on_disk, const Owner& in_container, const IdMap& container) {
    return {compose({{in_container.user, on_disk.user, 1}}, or_everything(container.users)),
            compose({{in_container.group, on_disk.group, 1}}, or_everything(container.groups))};
}

} // namespace

IdMap bind_id_map(const CustomMount& mount, const IdMap& container, const Owner& source, const Owner& destination) {
    switch (mount.mapping) {
    case BindMapping::none:
        break;
    case BindMapping::same:
        return container;
    case BindMapping::root:
        return one_owner(source, {0, 0}, container);
    case BindMapping::owner:
        return one_owner(source, destination, container);
    case BindMapping::user:
        return one_owner(source, {mount.user, mount.group}, container);
    case BindMapping::ranges:
        return {compose(mount.ranges, or_everything(container.users)),
                compose(mount.ranges, or_everything(container.groups))};
    case BindMapping::exact:
        return mount.exact_map;
    }
    return {};
}

} // namespace nspawn
