#include "config/private_users.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

namespace nspawn {

namespace {

uint32_t parse_id(std::string_view text) {
    const auto number = parse_unsigned(text);
    if (!number || *number > UINT32_MAX) {
        throw Error(fmt::format("\"{}\" is not an id (0 to {})", printable(text.substr(0, 80)), kLastId));
    }
    return static_cast<uint32_t>(*number);
}

IdRange parse_range(std::string_view text, bool one_of_several) {
    const std::vector<std::string_view> parts = split(text, ':');
    if (parts.size() == 3) {
        return {parse_id(parts[0]), parse_id(parts[1]), parse_id(parts[2])};
    }
    if (parts.size() > 3 || one_of_several) {
        throw Error(
            fmt::format("\"{}\" is not a range of a map (INSIDE:OUTSIDE:COUNT)", printable(text.substr(0, 80))));
    }
    return {0, parse_id(parts[0]), parts.size() == 2 ? parse_id(parts[1]) : kIdsPerContainer};
}

IdRanges parse_map(std::string_view text) {
    IdRanges ranges;
    const std::vector<std::string_view> parts = split(text, ',');
    for (const std::string_view part : parts) {
        ranges.push_back(parse_range(part, parts.size() > 1));
    }
    if (const std::string problem = find_id_range_problem(ranges); !problem.empty()) {
        throw Error(problem);
    }
    if (!id_outside(ranges, 0)) {
        throw Error("the map has no id for the container's root (0)");
    }
    return ranges;
}

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

} // namespace

UserChoice parse_private_users(std::string_view text, bool boolean_first) {
    if (boolean_first || !is_number(text)) {
        if (const auto answer = parse_boolean(text)) {
            return {*answer ? UserMode::tree : UserMode::host, {}};
        }
    }
    if (text == "pick") {
        return {UserMode::pick, {}};
    }
    if (text == "identity") {
        return {UserMode::map, {{0, 0, kIdsPerContainer}}};
    }
    if (text == "managed") {
        throw Error("managed ranges are handed out by systemd-nsresourced, which is not supported",
                    "--private-users=pick finds a free range by itself, and --private-users=BASE names one.");
    }
    if (text.empty() || text.find_first_not_of("0123456789:,") != std::string_view::npos) {
        throw Error("not yes, no, pick, identity, a base id or a map (INSIDE:OUTSIDE:COUNT,…)");
    }
    return {UserMode::map, parse_map(text)};
}

TreeOwnership parse_tree_ownership(std::string_view text) {
    if (const auto answer = parse_boolean(text)) {
        return *answer ? TreeOwnership::automatic : TreeOwnership::off;
    }
    if (text == "chown") {
        return TreeOwnership::chown;
    }
    if (text == "map") {
        return TreeOwnership::map;
    }
    if (text == "auto") {
        return TreeOwnership::automatic;
    }
    if (text == "foreign") {
        throw Error("trees of the foreign range are mounted by systemd-mountfsd, which is not supported",
                    "Such a tree is given to ordinary ids with --private-users=0 --private-users-ownership=chown.");
    }
    throw Error("not off, chown, map or auto");
}

std::string format_private_users(const UserChoice& choice) {
    switch (choice.mode) {
    case UserMode::host:
        return "no";
    case UserMode::tree:
        return "yes";
    case UserMode::pick:
        return "pick";
    case UserMode::map:
        break;
    }
    const IdRange& first = choice.map.front();
    if (choice.map.size() > 1 || first.inside != 0) {
        return describe_id_ranges(choice.map);
    }
    if (first == IdRange{0, 0, kIdsPerContainer}) {
        return "identity";
    }
    return fmt::format("{}:{}", first.outside, first.count);
}

std::string_view format_tree_ownership(TreeOwnership ownership) {
    switch (ownership) {
    case TreeOwnership::off:
        return "off";
    case TreeOwnership::chown:
        return "chown";
    case TreeOwnership::map:
        return "map";
    case TreeOwnership::automatic:
        break;
    }
    return "auto";
}

} // namespace nspawn
