#include "linux/id_map.hpp"

#include "base/file.hpp"
#include "base/text.hpp"
#include "linux/kernel_file.hpp"
#include "linux/process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kMostRanges = 340; // UID_GID_MAP_MAX_EXTENTS, user_namespaces(7)

bool overlap(uint32_t first, uint32_t first_count, uint32_t second, uint32_t second_count) {
    return first < uint64_t{second} + second_count && second < uint64_t{first} + first_count;
}

bool reaches_too_far(uint32_t first, uint32_t count) { return uint64_t{first} + count > uint64_t{kLastId} + 1; }

std::string describe(const IdRange& range) { return fmt::format("{}:{}:{}", range.inside, range.outside, range.count); }

Result<void> write_map(pid_t process, const char* file, std::span<const IdRange> ranges) {
    const std::string path = fmt::format("/proc/{}/{}", process, file);
    return write_existing(AT_FDCWD, path.c_str(), id_map_text(ranges));
}

} // namespace

IdMap shifted_id_map(uint32_t base, uint32_t count) { return {{{0, base, count}}, {{0, base, count}}}; }

std::string find_id_range_problem(std::span<const IdRange> ranges) {
    if (ranges.size() > kMostRanges) {
        return fmt::format("{} ranges are more than the kernel takes ({})", ranges.size(), kMostRanges);
    }
    for (size_t i = 0; i < ranges.size(); ++i) {
        const IdRange& range = ranges[i];
        if (range.count == 0) {
            return fmt::format("the range {} is empty", describe(range));
        }
        if (reaches_too_far(range.inside, range.count) || reaches_too_far(range.outside, range.count)) {
            return fmt::format("the range {} goes beyond {}", describe(range), kLastId);
        }
        for (const IdRange& other : ranges.first(i)) {
            if (overlap(range.inside, range.count, other.inside, other.count) ||
                overlap(range.outside, range.count, other.outside, other.count)) {
                return fmt::format("the ranges {} and {} overlap", describe(other), describe(range));
            }
        }
    }
    return {};
}

std::optional<uint32_t> id_outside(std::span<const IdRange> ranges, uint32_t inside) {
    for (const IdRange& range : ranges) {
        if (inside >= range.inside && inside - range.inside < range.count) {
            return range.outside + (inside - range.inside);
        }
    }
    return std::nullopt;
}

std::optional<uint32_t> id_inside(std::span<const IdRange> ranges, uint32_t outside) {
    for (const IdRange& range : ranges) {
        if (outside >= range.outside && outside - range.outside < range.count) {
            return range.inside + (outside - range.outside);
        }
    }
    return std::nullopt;
}

std::string id_map_text(std::span<const IdRange> ranges) {
    std::string text;
    for (const IdRange& range : ranges) {
        text += fmt::format("{} {} {}\n", range.inside, range.outside, range.count);
    }
    return text;
}

std::string describe_id_ranges(std::span<const IdRange> ranges) {
    std::string text;
    for (const IdRange& range : ranges) {
        text.append(text.empty() ? "" : ",").append(describe(range));
    }
    return text;
}

IdRanges parse_id_map(std::string_view text) {
    IdRanges ranges;
    while (!text.empty()) {
        const std::string_view line = take_until(text, '\n');
        const std::vector<std::string_view> words = split_any(line, " \t");
        if (words.size() != 3) {
            continue;
        }
        const auto inside = parse_unsigned(words[0]);
        const auto outside = parse_unsigned(words[1]);
        const auto count = parse_unsigned(words[2]);
        if (inside && outside && count && std::max({*inside, *outside, *count}) <= UINT32_MAX) {
            ranges.push_back(
                {static_cast<uint32_t>(*inside), static_cast<uint32_t>(*outside), static_cast<uint32_t>(*count)});
        }
    }
    return ranges;
}

Result<OwnIds> OwnIds::read() {
    constexpr size_t kLongestMap = size_t{64} * 1024;
    const Result<std::string> text = read_kernel_file(AT_FDCWD, "/proc/self/uid_map", kLongestMap);
    return text.ok() ? Result<OwnIds>(OwnIds(parse_id_map(text.value()))) : text.system_error();
}

bool OwnIds::are_all() const { return ranges_ == IdRanges{{0, 0, UINT32_MAX}}; }

bool OwnIds::contain(uint32_t first, uint32_t count) const {
    const uint64_t end = uint64_t{first} + count;
    uint64_t covered = first;
    // Each turn one range takes it further, or none does.
    for (bool further = true; further && covered < end;) {
        further = false;
        for (const IdRange& range : ranges_) {
            if (range.inside <= covered && covered < uint64_t{range.inside} + range.count) {
                covered = uint64_t{range.inside} + range.count;
                further = true;
            }
        }
    }
    return covered >= end;
}

bool in_initial_user_namespace() {
    constexpr ino_t kInitialUserNamespace = 0xEFFFFFFD; // PROC_USER_INIT_INO, linux/proc_ns.h
    struct stat status {};
    return stat("/proc/self/ns/user", &status) == 0 && status.st_ino == kInitialUserNamespace;
}

Result<void> write_id_maps(pid_t process, const IdMap& map) {
    const Result<void> users = write_map(process, "uid_map", map.users);
    return users.ok() ? write_map(process, "gid_map", map.groups) : users;
}

Result<UniqueFd> make_user_namespace(const IdMap& map) {
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC) < 0) {
        return last_error("pipe2");
    }
    const UniqueFd end(ends[0]);
    UniqueFd alive(ends[1]);
    // A user namespace is made by being born into it. The process waits for nothing but our closing of the pipe, be it
    // by our death.
    Result<Pidfd> holder = clone_process({.flags = CLONE_NEWUSER});
    if (!holder.ok()) {
        return holder.system_error();
    }
    if (!holder.value().valid()) {
        ::close(alive.get());
        char byte = 0;
        _exit(::read(end.get(), &byte, 1) < 0 ? 1 : 0);
    }
    const pid_t process = holder.value().pid();
    const Result<void> written = write_id_maps(process, map);
    Result<UniqueFd> result = written.system_error();
    if (written.ok()) {
        result = open_at(AT_FDCWD, fmt::format("/proc/{}/ns/user", process).c_str(), O_RDONLY);
    }
    alive.reset();
    const Result<ProcessEnd> ended = holder.value().wait();
    return ended.ok() ? std::move(result) : Result<UniqueFd>(ended.system_error());
}

} // namespace nspawn
