#include "image/template.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "image/btrfs_subvolume.hpp"
#include "image/copy_tree.hpp"
#include "image/scratch_directory.hpp"
#include "linux/termination.hpp"

#include <fmt/format.h>

#include <climits>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr const char* kTree = "tree"; // in the scratch directory

bool is_same_directory(int a, int b) {
    struct stat first {};
    struct stat second {};
    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

// True when going up from `directory` leads through `ancestor`, or starts there.
bool lies_within(int directory, int ancestor) {
    UniqueFd at = duplicate(directory).or_throw("");
    while (!is_same_directory(at.get(), ancestor)) {
        UniqueFd above = open_at(at.get(), "..", O_PATH | O_DIRECTORY).or_throw("..");
        if (is_same_directory(at.get(), above.get())) {
            return false;
        }
        at = std::move(above);
    }
    return true;
}

UniqueFd open_directory_beside(const MissingTree& place) {
    return open_at(place.parent.get(), place.name.c_str(), O_RDONLY | O_DIRECTORY).or_throw(printable(place.path));
}

// Not every file system can promise that nothing is overwritten; a directory only ever takes the place of an empty one.
Result<void> rename_into_place(int from, const MissingTree& place) {
    Result<void> renamed =
        check(renameat2(from, kTree, place.parent.get(), place.name.c_str(), RENAME_NOREPLACE), "renameat2");
    if (renamed.error() == EINVAL || renamed.error() == ENOSYS) {
        renamed = check(renameat(from, kTree, place.parent.get(), place.name.c_str()), "renameat");
    }
    return renamed;
}

// Answers how it was made.
std::string fill(const ScratchDirectory& scratch, int source, const std::string& source_path,
                 const MissingTree& place) {
    if (is_subvolume(source)) {
        const Result<void> made = snapshot_subvolume(source, scratch.fd(), kTree);
        if (made.ok()) {
            return "btrfs snapshot";
        }
        log::debug("snapshot of {} in {}: {}: {}", source_path, parent_of(place.path), made.system_error().call,
                   error_text(made.error()));
    }
    check(mkdirat(scratch.fd(), kTree, 0700), "mkdirat").or_throw(printable(place.path));
    const UniqueFd target =
        open_at(scratch.fd(), kTree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).or_throw(printable(place.path));
    return copy_tree(source, source_path, target.get(), place.path, scratch.fd()) == CopiedHow::reflinks
               ? "copy that shares its blocks"
               : "copy";
}

} // namespace

MissingTree find_place_for(const std::string& given, int source, const std::string& source_path) {
    MissingTree place;
    place.path = simplified(given);
    place.name = base_name(place.path);
    if (place.name.empty() || place.name == "." || place.name == ".." || place.name.size() > NAME_MAX) {
        throw Error(fmt::format("--directory={}: no tree can be made here", printable(given)));
    }
    const std::string parent = parent_of(place.path);
    Result<UniqueFd> directory = open_at(AT_FDCWD, parent.c_str(), O_RDONLY | O_DIRECTORY);
    if (!directory.ok()) {
        throw Error(fmt::format("--directory={}: the directory that it is to be made in, {}: {}", printable(given),
                                printable(parent), error_text(directory.error())),
                    directory.error() == ENOENT ? "Make it first." : "")
            .with_code(directory.error());
    }
    place.parent = std::move(directory).value();
    struct stat status {};
    if (fstatat(place.parent.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
        throw Error(fmt::format("--directory={} is a symbolic link that leads nowhere", printable(given)));
    }
    if (lies_within(place.parent.get(), source)) {
        throw Error(
            fmt::format("--directory={} lies within its template, {}", printable(given), printable(source_path)),
            "A tree cannot hold a copy of itself.");
    }
    return place;
}

TreeFromTemplate make_from_template(int source, const std::string& source_path, const MissingTree& place) {
    const HeldTermination held;
    sweep_leftover_scratch(place.parent.get());
    const ScratchDirectory scratch =
        ScratchDirectory::create(duplicate(place.parent.get()).or_throw(""), parent_of(place.path), place.name)
            .or_throw(fmt::format("making {} from a template", printable(place.path)));
    std::string description = fill(scratch, source, source_path, place);
    if (is_termination_requested()) {
        throw Error(fmt::format("interrupted while making {}", printable(place.path))).with_code(EINTR);
    }
    const Result<void> renamed = rename_into_place(scratch.fd(), place);
    if (renamed.error() == EEXIST || renamed.error() == ENOTEMPTY) {
        description.clear(); // somebody was faster
    } else {
        renamed.or_throw(printable(place.path));
    }
    return {open_directory_beside(place), std::move(description)};
}

} // namespace nspawn
