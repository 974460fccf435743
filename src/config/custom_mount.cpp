#include "config/custom_mount.hpp"

#include "base/error.hpp"
#include "base/path.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <optional>

namespace nspawn {

namespace {

constexpr const char* kDefaultTmpfsOptions = "mode=0755";

// At ':', where "\:" stands for a colon and "\\" for a backslash; any other backslash is one.
std::vector<std::string> split_at_colons(std::string_view text) {
    std::vector<std::string> parts(1);
    for (size_t i = 0; i < text.size(); ++i) {
        const bool escapes = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == ':' || text[i + 1] == '\\');
        if (escapes) {
            parts.back() += text[++i];
        } else if (text[i] == ':') {
            parts.emplace_back();
        } else {
            parts.back() += text[i];
        }
    }
    return parts;
}

std::string with_escapes(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == ':' || c == '\\') {
            result += '\\';
        }
        result += c;
    }
    return result;
}

bool climbs(const std::string& path) {
    const std::vector<std::string_view> components = split_any(path, "/");
    return std::find(components.begin(), components.end(), "..") != components.end();
}

void check_length(const std::string& path) {
    if (path.size() >= PATH_MAX) {
        throw Error(fmt::format("a path has at most {} bytes", PATH_MAX - 1));
    }
}

// `what`: "the destination", for messages.
std::string absolute_in_container(const std::string& path, std::string_view what) {
    if (!is_absolute(path)) {
        throw Error(fmt::format("{} '{}' is no absolute path", what, printable(path)));
    }
    check_length(path);
    if (climbs(path)) {
        throw Error(fmt::format("{} '{}' has a \"..\" in it", what, printable(path)));
    }
    return simplified(path);
}

std::string destination_below_root(const std::string& path) {
    std::string destination = absolute_in_container(path, "the destination");
    if (destination == "/") {
        throw Error("the destination / is the tree itself", "Use --volatile= for a root directory that forgets.");
    }
    return destination;
}

MountSource source_on_host(std::string path, const std::string& directory) {
    check_length(path);
    return {simplified(is_absolute(path) ? path : join(directory, path)), false};
}

// "+PATH", "PATH" or nothing.
MountSource read_source(const std::string& text, const std::optional<std::string>& directory) {
    if (text.empty()) {
        return {};
    }
    if (text.front() == '+') {
        return {absolute_in_container(text.substr(1), "the source in the tree"), true};
    }
    if (!directory && !is_absolute(text)) {
        throw Error(fmt::format("the layer '{}' is no absolute path", printable(text)));
    }
    return source_on_host(text, directory.value_or("/"));
}

uint32_t read_id(std::string_view text, std::string_view option) {
    const auto id = parse_unsigned(text);
    if (!id || *id > kLastId) {
        throw Error(fmt::format("'{}' in '{}' is no id (0 to {})", printable(text), printable(option), kLastId));
    }
    return static_cast<uint32_t>(*id);
}

// UID[:GID]; without one the group has the user's number.
void read_user(CustomMount& mount, std::string_view option, std::string_view value) {
    const std::vector<std::string_view> ids = split(value, ':');
    if (ids.size() > 2) {
        throw Error(fmt::format("'{}' is not owner=UID[:GID]", printable(option)));
    }
    mount.mapping = BindMapping::user;
    mount.user = read_id(ids.front(), option);
    mount.group = read_id(ids.back(), option);
}

// CONTAINER:DISK:COUNT, once or more often.
void read_range(CustomMount& mount, std::string_view option, std::string_view value) {
    const std::vector<std::string_view> ids = split(value, ':');
    if (ids.size() != 3) {
        throw Error(fmt::format("'{}' is not map=CONTAINER:DISK:COUNT", printable(option)));
    }
    if (mount.mapping != BindMapping::ranges) {
        mount.ranges.clear();
    }
    mount.mapping = BindMapping::ranges;
    mount.ranges.push_back({read_id(ids[0], option), read_id(ids[1], option), read_id(ids[2], option)});
    if (const std::string problem = find_id_range_problem(mount.ranges); !problem.empty()) {
        throw Error(fmt::format("'{}': {}", printable(option), problem));
    }
}

void read_bind_option(CustomMount& mount, std::string_view option) {
    constexpr std::string_view kOwner = "owner=";
    constexpr std::string_view kMap = "map=";
    if (option == "rbind") {
        mount.recursive = true;
    } else if (option == "norbind") {
        mount.recursive = false;
    } else if (option == "noidmap") {
        mount.mapping = BindMapping::none;
    } else if (option == "idmap") {
        mount.mapping = BindMapping::same;
    } else if (option == "rootidmap") {
        mount.mapping = BindMapping::root;
    } else if (option == "owneridmap") {
        mount.mapping = BindMapping::owner;
    } else if (option.starts_with(kOwner)) {
        read_user(mount, option, option.substr(kOwner.size()));
    } else if (option.starts_with(kMap)) {
        read_range(mount, option, option.substr(kMap.size()));
    } else {
        throw Error(fmt::format("there is no option '{}' for a bind", printable(option)),
                    "There are rbind, norbind, noidmap, idmap, rootidmap, owneridmap, owner=UID[:GID] and "
                    "map=CONTAINER:DISK:COUNT.");
    }
}

std::string format_source(const MountSource& source) { return (source.in_tree ? "+" : "") + with_escapes(source.path); }

std::string format_bind(const CustomMount& mount) {
    std::string text = format_source(mount.sources.front()) + ":" + with_escapes(mount.destination);
    std::vector<std::string> options;
    if (!mount.recursive) {
        options.emplace_back("norbind");
    }
    switch (mount.mapping) {
    case BindMapping::none:
    case BindMapping::exact: // which no option can say
        break;
    case BindMapping::same:
        options.emplace_back("idmap");
        break;
    case BindMapping::root:
        options.emplace_back("rootidmap");
        break;
    case BindMapping::owner:
        options.emplace_back("owneridmap");
        break;
    case BindMapping::user:
        options.push_back(fmt::format("owner={}:{}", mount.user, mount.group));
        break;
    case BindMapping::ranges:
        for (const IdRange& range : mount.ranges) {
            options.push_back(fmt::format("map={}:{}:{}", range.inside, range.outside, range.count));
        }
        break;
    }
    return options.empty() ? text : fmt::format("{}:{}", text, fmt::join(options, ","));
}

} // namespace

CustomMount parse_bind(std::string_view text, bool read_only, const std::string& directory) {
    std::vector<std::string> parts = split_at_colons(text);
    for (size_t i = 3; i < parts.size(); ++i) { // colons in the options stand for themselves
        parts[2].append(":").append(parts[i]);
    }
    parts.resize(std::min<size_t>(parts.size(), 3));
    CustomMount mount;
    mount.read_only = read_only;
    mount.sources.push_back(read_source(parts[0], directory));
    const MountSource& source = mount.sources.front();
    if (parts.size() == 1) {
        const bool usable = !source.path.empty() && (source.in_tree || is_absolute(parts[0]));
        if (!usable) {
            throw Error(source.path.empty() ? "no source is given" : "a relative source needs a destination",
                        "Write SOURCE:DESTINATION.");
        }
        mount.destination = destination_below_root(source.path);
        return mount;
    }
    mount.destination = absolute_in_container(parts[1], "the destination");
    if (mount.destination == "/" && source.path.empty()) {
        throw Error("an empty directory cannot be the whole tree");
    }
    if (parts.size() == 3) {
        for (const std::string_view option : split(parts[2], ',')) {
            read_bind_option(mount, option);
        }
    }
    return mount;
}

CustomMount parse_tmpfs(std::string_view text) {
    const std::vector<std::string> parts = split_at_colons(text);
    if (parts.size() > 2) {
        throw Error("too many ':' in it (a colon in a path is written \\:)");
    }
    CustomMount mount;
    mount.kind = CustomMountKind::tmpfs;
    mount.destination = destination_below_root(parts[0]);
    mount.options = parts.size() == 2 ? parts[1] : kDefaultTmpfsOptions;
    return mount;
}

CustomMount parse_overlay(std::string_view text, bool read_only) {
    const std::vector<std::string> parts = split_at_colons(text);
    if (parts.size() < 2) {
        throw Error("an overlay needs two paths at least", "Write LOWER:UPPER:DESTINATION.");
    }
    CustomMount mount;
    mount.kind = CustomMountKind::overlay;
    mount.read_only = read_only;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
        mount.sources.push_back(read_source(parts[i], std::nullopt));
    }
    if (parts.size() == 2) { // the topmost layer and the destination have the same path
        mount.sources.push_back(read_source(parts[1], std::nullopt));
        mount.destination = destination_below_root(mount.sources.back().path);
    } else {
        mount.destination = destination_below_root(parts.back());
    }
    for (size_t i = 0; i < mount.sources.size(); ++i) {
        const bool takes_changes = !read_only && i + 1 == mount.sources.size();
        if (mount.sources[i].path.empty() && !takes_changes) {
            throw Error("only the layer that takes the changes may be left empty");
        }
    }
    return mount;
}

CustomMount parse_inaccessible(std::string_view text) {
    CustomMount mount;
    mount.kind = CustomMountKind::inaccessible;
    mount.destination = destination_below_root(std::string(text));
    return mount;
}

std::string format_custom_mount(const CustomMount& mount) {
    switch (mount.kind) {
    case CustomMountKind::bind:
        return format_bind(mount);
    case CustomMountKind::tmpfs:
        return with_escapes(mount.destination) + ":" + with_escapes(mount.options);
    case CustomMountKind::inaccessible:
        return mount.destination;
    case CustomMountKind::overlay:
        break;
    }
    std::string text;
    for (const MountSource& source : mount.sources) {
        text += format_source(source) + ":";
    }
    return text + with_escapes(mount.destination);
}

void sort_custom_mounts(std::vector<CustomMount>& mounts) {
    // A '/' sorts before every other character, so that "/a/b" stands right behind "/a" and not behind "/a-b".
    const auto before = [](char a, char b) {
        return (a == '/' ? 0 : 1 + static_cast<unsigned char>(a)) < (b == '/' ? 0 : 1 + static_cast<unsigned char>(b));
    };
    std::stable_sort(mounts.begin(), mounts.end(), [&](const CustomMount& a, const CustomMount& b) {
        if (a.destination == b.destination) {
            return a.kind < b.kind;
        }
        return std::lexicographical_compare(a.destination.begin(), a.destination.end(), b.destination.begin(),
                                            b.destination.end(), before);
    });
}

} // namespace nspawn
