#include "image/os_tree_check.hpp"

#include "base/file.hpp"
#include "linux/file_system_user.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

struct BaseEntry {
    const char* name;
    mode_t mode;        // of a directory; 0: a symbolic link
    const char* target; // of the link, made only if it leads to a directory
};

// Links after the directories that they lead into.
constexpr BaseEntry kBaseEntries[] = {
    {"usr", 0755, nullptr},  {"var", 0755, nullptr},  {"etc", 0755, nullptr}, {"root", 0750, nullptr},
    {"proc", 0555, nullptr}, {"sys", 0555, nullptr},  {"dev", 0555, nullptr}, {"run", 0555, nullptr},
    {"bin", 0, "usr/bin"},   {"sbin", 0, "usr/sbin"}, {"lib", 0, "usr/lib"},  {"lib64", 0, nullptr},
};
constexpr unsigned kAll = (1U << std::size(kBaseEntries)) - 1;

// The dynamic loader that a program of the host's architecture asks for below /lib64; null where there is none.
#if defined(__x86_64__) && !defined(__ILP32__)
constexpr const char* kLoader = "ld-linux-x86-64.so.2";
#elif defined(__aarch64__)
constexpr const char* kLoader = "ld-linux-aarch64.so.1";
#elif defined(__powerpc64__)
constexpr const char* kLoader = "ld64.so.2";
#elif defined(__s390x__)
constexpr const char* kLoader = "ld64.so.1";
#elif defined(__loongarch_lp64)
constexpr const char* kLoader = "ld-linux-loongarch-lp64d.so.1";
#else
constexpr const char* kLoader = nullptr;
#endif

std::optional<unsigned> index_of(std::string_view name) {
    for (unsigned index = 0; index < std::size(kBaseEntries); ++index) {
        if (name == kBaseEntries[index].name) {
            return index;
        }
    }
    return std::nullopt;
}

unsigned names_in(const char* buffer, size_t size) {
    unsigned present = 0;
    for (size_t position = 0; position < size;) {
        const auto* entry = reinterpret_cast<const dirent64*>(buffer + position);
        if (const auto index = index_of(entry->d_name)) {
            present |= 1U << *index;
        }
        position += entry->d_reclen;
    }
    return present;
}

bool exists_in_root(int tree, const std::string& path, int flags) {
    return open_in_root(tree, path.c_str(), O_PATH | flags).ok();
}

void throw_unless_read_only(const char* call, const char* name) {
    if (errno != EROFS && errno != EEXIST) {
        throw_system_error(errno, call, fmt::format("making /{} in the tree", name));
    }
}

void make_link(int tree, const char* target, const char* name) {
    if (exists_in_root(tree, target, O_DIRECTORY) && symlinkat(target, tree, name) < 0) {
        throw_unless_read_only("symlinkat", name);
    }
}

void make_loader_link(int tree) {
    for (const char* directory : {"usr/lib64", "usr/lib"}) {
        if (kLoader != nullptr && exists_in_root(tree, fmt::format("{}/{}", directory, kLoader), 0)) {
            make_link(tree, directory, "lib64");
            return;
        }
    }
}

void make_entry(int tree, const BaseEntry& entry) {
    if (entry.mode == 0) {
        entry.target != nullptr ? make_link(tree, entry.target, entry.name) : make_loader_link(tree);
        return;
    }
    // The umask is the caller's; nothing is opened afterwards, since the name may not be a directory by then.
    if (mkdirat(tree, entry.name, entry.mode) < 0) {
        throw_unless_read_only("mkdirat", entry.name);
    }
}

bool is_regular_in_root(int tree, const char* path) {
    struct stat status {};
    const Result<UniqueFd> file = open_in_root(tree, path, O_PATH);
    return file.ok() && fstat(file.value().get(), &status) == 0 && S_ISREG(status.st_mode);
}

// As many entries as fit. `tree` has just been opened: who reads the directory later opens it anew.
ssize_t read_first_entries(int tree, std::span<char> buffer) {
    ssize_t got = getdents64(tree, buffer.data(), buffer.size());
    if (got < 0 && errno == EBADF) { // a mount's, which cannot be read
        const UniqueFd directory =
            open_at(tree, ".", O_RDONLY | O_DIRECTORY).or_throw("reading the tree's top directory");
        got = getdents64(directory.get(), buffer.data(), buffer.size());
    }
    check(got, "getdents64").or_throw("reading the tree's top directory");
    return got;
}

} // namespace

TopLevel::TopLevel(int tree) {
    alignas(dirent64) std::array<char, 8192> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
    const ssize_t got = read_first_entries(tree, buffer);
    present_ = names_in(buffer.data(), static_cast<size_t>(got));
    // A top directory with hundreds of entries does not fit; what was not seen is asked for by name.
    for (unsigned index = 0; index < std::size(kBaseEntries) && present_ != kAll; ++index) {
        struct stat status {};
        if ((present_ & (1U << index)) == 0 &&
            fstatat(tree, kBaseEntries[index].name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            present_ |= 1U << index;
        }
    }
}

bool TopLevel::has(std::string_view name) const {
    const auto index = index_of(name);
    return index && (present_ & (1U << *index)) != 0;
}

namespace {

bool is_one_of(const std::vector<std::string>& mount_points, std::initializer_list<const char*> wanted) {
    return std::any_of(wanted.begin(), wanted.end(), [&](const char* path) {
        return std::find(mount_points.begin(), mount_points.end(), path) != mount_points.end();
    });
}

} // namespace

void check_os_tree(int tree, const TopLevel& top, const std::string& path, bool boot,
                   const std::vector<std::string>& mount_points) {
    if (boot) {
        const bool mounted =
            is_one_of(mount_points, {"/usr", "/usr/lib", "/usr/lib/os-release", "/etc", "/etc/os-release"});
        if (!mounted && !is_regular_in_root(tree, "etc/os-release") &&
            !is_regular_in_root(tree, "usr/lib/os-release")) {
            throw Error(
                fmt::format("{} doesn't look like an OS root directory: it has neither /etc/os-release nor "
                            "/usr/lib/os-release",
                            path),
                "Choose a tree with an installed system, or set SYSTEMD_NSPAWN_CHECK_OS_RELEASE=0 to boot it anyway.");
        }
        return;
    }
    if (!top.has("usr") && !is_one_of(mount_points, {"/usr"})) {
        throw Error(fmt::format("{} doesn't look like it has an OS tree: there is no /usr in it", path),
                    "Choose the top directory of an installed system; an empty usr directory is enough for a tree of "
                    "your own.");
    }
}

void make_base_directories(int tree, const TopLevel& top) {
    if (top.present_ == kAll) {
        return;
    }
    // They belong to whom the tree belongs to, from their first moment on.
    struct stat status {};
    check(fstat(tree, &status), "fstat").or_throw("the tree's top directory");
    const FileSystemUser owner(status.st_uid, status.st_gid);
    for (unsigned index = 0; index < std::size(kBaseEntries); ++index) {
        if ((top.present_ & (1U << index)) == 0) {
            make_entry(tree, kBaseEntries[index]);
        }
    }
}

} // namespace nspawn
