#include "image/image_file.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/file_kind.hpp"
#include "base/log.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "image/version_pick.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

bool is_directory(int fd) {
    struct stat status {};
    return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

// O_PATH: nothing is opened that might wait or do something.
UniqueFd find_image(const std::string& path, const std::string& name) {
    Result<UniqueFd> found = open_at(AT_FDCWD, path.c_str(), O_PATH);
    if (const auto pattern = version_pattern(path, VersionedKind::image);
        pattern && (found.ok() ? is_directory(found.value().get()) : found.error() == ENOENT)) {
        return open_version(*pattern, VersionedKind::image);
    }
    if (!found.ok()) {
        throw Error(fmt::format("{}: {}", name, error_text(found.error()))).with_code(found.error());
    }
    return std::move(found).value();
}

} // namespace

UniqueFd open_image_file(const std::string& path) {
    const std::string name = "--image=" + printable(path);
    const UniqueFd found = find_image(path, name);
    struct stat status {};
    check(fstat(found.get(), &status), "fstat").or_throw(name);
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
        throw Error(fmt::format("{} is {}, not a disk image", name, kind_of_file(status.st_mode)),
                    S_ISDIR(status.st_mode) ? "For a directory tree use --directory=." : "")
            .with_code(S_ISDIR(status.st_mode) ? EISDIR : ENOTBLK);
    }
    Result<UniqueFd> image = reopen(found.get(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!image.ok()) {
        throw Error(fmt::format("{}: {}", name, error_text(image.error()))).with_code(image.error());
    }
    return std::move(image).value();
}

UniqueFd reflink_image_file(int image, const std::string& path) {
    struct stat status {};
    if (fstat(image, &status) < 0 || !S_ISREG(status.st_mode)) {
        return {};
    }
    Result<UniqueFd> copy = open_at(AT_FDCWD, parent_of(path).c_str(), O_TMPFILE | O_RDWR, 0600);
    if (!copy.ok() || ioctl(copy.value().get(), FICLONE, image) < 0) {
        log::debug("{}: no copy by reference: {}", path, error_text(copy.ok() ? errno : copy.error()));
        return {};
    }
    return std::move(copy).value();
}

} // namespace nspawn
