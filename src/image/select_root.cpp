#include "base/file.hpp"
#include "base/id128.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "config/machine_name.hpp"
#include "image/btrfs_subvolume.hpp"
#include "image/image_file.hpp"
#include "image/image_pool.hpp"
#include "image/root_tree.hpp"
#include "image/version_pick.hpp"

#include <fmt/format.h>

#include <climits>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kLongestMachineName = 64;
constexpr const char* kPool = "/var/lib/machines"; // where a machine's tree is made that nobody gave a place

[[noreturn]] void throw_unusable(const std::string& path, int error, bool given) {
    const std::string what = given ? "--directory=" + printable(path) : "the working directory";
    struct stat status {};
    if (error == ENOTDIR && stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
        throw Error(what + " is a file, not a directory", "For a disk image use --image=.").with_code(error);
    }
    if (error == ENOTDIR) {
        throw Error(what + ": not a directory").with_code(error);
    }
    throw Error(fmt::format("{}: {}", what, error_text(error))).with_code(error);
}

// Without a link on the way, the path as given is the kernel's own idea of it too.
UniqueFd open_without_links(const std::string& path) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS;
    return UniqueFd(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
}

UniqueFd open_tree_directory(const std::string& path, bool given) {
    if (const auto pattern = version_pattern(path, VersionedKind::directory)) {
        return reopen(open_version(*pattern, VersionedKind::directory).get(), O_RDONLY | O_DIRECTORY).or_throw(path);
    }
    Result<UniqueFd> directory = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
    if (!directory.ok()) {
        throw_unusable(path, directory.error(), given);
    }
    return std::move(directory).value();
}

// The kernel's own idea of where an open directory is: absolute, every link resolved.
std::string path_of(int directory, const std::string& as_given) {
    Result<std::string> found = path_of_descriptor(directory);
    if (found.error() == ENAMETOOLONG) {
        throw Error(fmt::format("the path of the tree is longer than {} bytes", PATH_MAX - 1)).with_code(ENAMETOOLONG);
    }
    const std::string path = std::move(found).or_throw("finding the path of the tree (is /proc mounted?)");
    struct stat status {};
    if (path.ends_with(" (deleted)") && (fstat(directory, &status) < 0 || status.st_nlink == 0)) {
        throw Error(fmt::format("{} was removed", as_given)).with_code(ENOENT);
    }
    if (!is_absolute(path)) {
        throw Error(fmt::format("{} cannot be reached from the root directory", as_given)).with_code(ENOENT);
    }
    return path;
}

// The name of a tree without what says that it is an image.
std::string_view without_suffix(std::string_view name) {
    constexpr std::string_view kSuffix = ".raw";
    return name.size() > kSuffix.size() && name.ends_with(kSuffix) ? name.substr(0, name.size() - kSuffix.size())
                                                                   : name;
}

std::string derived_machine_name(const std::string& path, const std::string& given, bool is_image) {
    std::string source(is_image ? without_suffix(base_name(path)) : base_name(path));
    if (const auto pattern = version_pattern(given, is_image ? VersionedKind::image : VersionedKind::directory)) {
        source = pattern->name; // of all its versions
    }
    if (path == "/") {
        utsname host{};
        uname(&host); // cannot fail: the buffer is there
        source = static_cast<const char*>(host.nodename);
    }
    auto name = machine_name_from(source);
    if (!name) {
        throw Error(fmt::format("no machine name can be made from '{}'", printable(source)),
                    "Give one with --machine=.");
    }
    return std::move(*name);
}

// The suffix has to fit too: what is in front of it is cut, and may not end in the middle of a label's dashes.
void add_ephemeral_suffix(RootSelection& selection) {
    selection.machine_suffix = fmt::format("-{:016x}", random_u64());
    const size_t room = kLongestMachineName - selection.machine_suffix.size();
    if (selection.machine.size() > room) {
        selection.machine.resize(room);
        while (selection.machine.ends_with('-') || selection.machine.ends_with('.')) {
            selection.machine.pop_back();
        }
    }
}

void settle_names(RootSelection& selection, const std::string& machine, const std::string& given, bool ephemeral) {
    selection.machine =
        machine.empty() ? derived_machine_name(selection.path, given, selection.image.valid()) : machine;
    if (selection.path != "/" && !is_within(selection.path, "/dev")) {
        selection.settings_directory = parent_of(selection.path);
    }
    if (ephemeral && machine.empty()) {
        add_ephemeral_suffix(selection);
    }
}

UniqueFd open_template(const std::string& path) {
    Result<UniqueFd> directory = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
    if (!directory.ok()) {
        throw Error(fmt::format("--template={}: {}", printable(path), error_text(directory.error())))
            .with_code(directory.error());
    }
    return std::move(directory).value();
}

// As a system's set-up would have done. What is wrong with it is said when it is opened.
void make_pool() { (void)mkdir(kPool, 0700); }

bool is_missing(const std::string& directory) {
    struct stat status {};
    return stat(directory.c_str(), &status) < 0 && errno == ENOENT;
}

RootSelection select_missing(const std::string& directory, const std::string& machine, UniqueFd source,
                             std::string source_path) {
    RootSelection selection;
    selection.missing = find_place_for(directory, source.get(), source_path);
    selection.missing->path = join(path_of(selection.missing->parent.get(), directory), selection.missing->name);
    selection.path = selection.missing->path;
    selection.directory = std::move(source);
    selection.template_path = std::move(source_path);
    settle_names(selection, machine, directory, false);
    return selection;
}

RootSelection select_existing(const std::string& directory, const std::string& image, const std::string& machine,
                              bool ephemeral) {
    RootSelection selection;
    if (!image.empty()) {
        selection.image = open_image_file(image);
    } else if (directory.empty() && !machine.empty()) {
        PoolImage found = find_pool_image(machine);
        selection.directory = std::move(found.directory);
        selection.image = std::move(found.image);
        selection.image_read_only = found.read_only && !ephemeral;
    } else if (is_absolute(directory) && is_normalized(directory) &&
               !version_pattern(directory, VersionedKind::directory)) {
        selection.directory = open_without_links(directory);
        selection.path = selection.directory ? directory : "";
    }
    if (!selection.directory && !selection.image) {
        const bool given = !directory.empty();
        selection.directory = open_tree_directory(given ? directory : ".", given);
    }
    if (selection.path.empty()) {
        const std::string given = !image.empty() ? image : directory.empty() ? "the working directory" : directory;
        selection.path = path_of(selection.image ? selection.image.get() : selection.directory.get(), given);
    }
    settle_names(selection, machine, image.empty() ? directory : image, ephemeral);
    return selection;
}

} // namespace

RootSelection select_root(const std::string& directory, const std::string& image, const std::string& machine,
                          bool ephemeral, const std::string& template_path) {
    if (template_path.empty() || (directory.empty() && machine.empty())) {
        return select_existing(directory, image, machine, ephemeral);
    }
    const std::string place = directory.empty() ? join(kPool, machine) : directory;
    if (directory.empty()) {
        make_pool();
    }
    UniqueFd source = open_template(template_path);
    std::string source_path = path_of(source.get(), template_path);
    if (is_missing(place)) {
        return select_missing(place, machine, std::move(source), std::move(source_path));
    }
    RootSelection selection = select_existing(place, {}, machine, ephemeral);
    selection.template_path = std::move(source_path);
    return selection;
}

} // namespace nspawn
