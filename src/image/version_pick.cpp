#include "image/version_pick.hpp"

#include "base/directory.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "base/version_compare.hpp"
#include "image/partition_type.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include <fcntl.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr std::string_view kDirectorySuffix = ".v";
constexpr std::string_view kImageSuffix = ".raw";
constexpr std::string_view kPlaceholder = "___";
constexpr size_t kMostEntries = 4096;

struct Entry {
    std::string_view file;
    std::string_view version;
    unsigned distance = 0; // of its architecture: 0 native, 1 runs too, 2 for any, so that a special one is preferred
    uint64_t left = UINT64_MAX;
    uint64_t done = 0;
};

bool drop_suffix(std::string_view& text, std::string_view suffix) {
    if (text.size() <= suffix.size() || !text.ends_with(suffix)) {
        return false;
    }
    text.remove_suffix(suffix.size());
    return true;
}

// Takes "+LEFT" or "+LEFT-DONE" off the end; false: what stands there is something else.
bool take_counters(std::string_view& text, Entry& entry) {
    const size_t plus = text.rfind('+');
    if (plus == std::string_view::npos) {
        return true;
    }
    std::string_view counters = text.substr(plus + 1);
    const auto left = parse_unsigned(take_until(counters, '-'));
    const auto done = counters.empty() ? std::optional<uint64_t>(0) : parse_unsigned(counters);
    if (!left || !done) {
        return false;
    }
    entry.left = *left;
    entry.done = *done;
    text = text.substr(0, plus);
    return true;
}

std::optional<Entry> parse_entry(const VersionPattern& pattern, std::string_view file) {
    Entry entry;
    entry.file = file;
    std::string_view text = file;
    if (!text.starts_with(pattern.name) || (!pattern.suffix.empty() && !drop_suffix(text, pattern.suffix))) {
        return std::nullopt;
    }
    text.remove_prefix(std::min(text.size(), pattern.name.size()));
    if (!text.starts_with('_') || !take_counters(text, entry)) {
        return std::nullopt;
    }
    text.remove_prefix(1);
    const size_t underscore = text.rfind('_');
    const std::string_view last =
        underscore == std::string_view::npos ? std::string_view() : text.substr(underscore + 1);
    entry.distance = 2;
    if (is_architecture(last)) {
        entry.distance = architecture_distance(last);
        if (entry.distance > 1) {
            return std::nullopt; // this machine does not run it
        }
        text = text.substr(0, underscore);
    }
    entry.version = text;
    return text.empty() ? std::nullopt : std::optional(entry);
}

bool is_better(const Entry& a, const Entry& b) {
    if ((a.left == 0) != (b.left == 0)) {
        return a.left != 0;
    }
    if (const int order = compare_versions(a.version, b.version); order != 0) {
        return order > 0;
    }
    // The file's name last, so that the answer does not depend on the order of the listing.
    return std::tuple(a.distance, b.left, a.done, b.file) < std::tuple(b.distance, a.left, b.done, a.file);
}

} // namespace

std::optional<VersionPattern> version_pattern(std::string_view path, VersionedKind kind) {
    const std::string_view last = base_name(path);
    const size_t placeholder = last.find(kPlaceholder);
    if (placeholder != std::string_view::npos && placeholder > 0) {
        const std::string directory = parent_of(path);
        if (!base_name(directory).ends_with(kDirectorySuffix)) {
            return std::nullopt;
        }
        return VersionPattern{directory, std::string(last.substr(0, placeholder)),
                              std::string(last.substr(placeholder + kPlaceholder.size()))};
    }
    std::string_view name = last;
    if (!drop_suffix(name, kDirectorySuffix)) {
        return std::nullopt;
    }
    VersionPattern pattern{std::string(path), {}, {}};
    if (kind == VersionedKind::image) {
        drop_suffix(name, kImageSuffix);
        pattern.suffix = kImageSuffix;
    }
    pattern.name = name;
    return pattern;
}

std::optional<std::string> pick_version(const VersionPattern& pattern, const std::vector<std::string>& entries) {
    std::optional<Entry> best;
    for (const std::string& file : entries) {
        const std::optional<Entry> entry = parse_entry(pattern, file);
        if (entry && (!best || is_better(*entry, *best))) {
            best = entry;
        }
    }
    return best ? std::optional(std::string(best->file)) : std::nullopt;
}

UniqueFd open_version(const VersionPattern& pattern, VersionedKind kind) {
    const UniqueFd directory =
        open_at(AT_FDCWD, pattern.directory.c_str(), O_RDONLY | O_DIRECTORY).or_throw(printable(pattern.directory));
    std::vector<std::string> entries;
    for_each_entry(directory.get(), [&](const dirent64& entry) {
        struct stat status {};
        const bool there = fstatat(directory.get(), entry.d_name, &status, 0) == 0;
        const bool fits = kind == VersionedKind::directory ? S_ISDIR(status.st_mode)
                                                           : S_ISREG(status.st_mode) || S_ISBLK(status.st_mode);
        if (there && fits) {
            entries.emplace_back(entry.d_name);
        }
        return entries.size() < kMostEntries;
    }).or_throw(printable(pattern.directory));
    const std::optional<std::string> file = pick_version(pattern, entries);
    if (!file) {
        throw Error(
            fmt::format("{}: no version of '{}' is in it", printable(pattern.directory), printable(pattern.name)),
            fmt::format("What is looked for is called {}_VERSION{}, {}.", printable(pattern.name),
                        printable(pattern.suffix),
                        kind == VersionedKind::directory ? "a directory" : "a file or block device"))
            .with_code(ENOENT);
    }
    return open_at(directory.get(), file->c_str(), O_PATH).or_throw(join(pattern.directory, *file));
}

} // namespace nspawn
