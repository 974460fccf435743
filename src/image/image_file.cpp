#include "image/image_file.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

std::string_view kind_of(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a directory";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    case S_IFCHR:
        return "a character device";
    default:
        return "of an unknown kind";
    }
}

} // namespace

UniqueFd open_image_file(const std::string& path) {
    const std::string name = "--image=" + printable(path);
    const Result<UniqueFd> found = open_at(AT_FDCWD, path.c_str(), O_PATH);
    if (!found.ok()) {
        throw Error(fmt::format("{}: {}", name, error_text(found.error()))).with_code(found.error());
    }
    struct stat status {};
    check(fstat(found.value().get(), &status), "fstat").or_throw(name);
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
        throw Error(fmt::format("{} is {}, not a disk image", name, kind_of(status.st_mode)),
                    S_ISDIR(status.st_mode) ? "For a directory tree use --directory=." : "")
            .with_code(S_ISDIR(status.st_mode) ? EISDIR : ENOTBLK);
    }
    Result<UniqueFd> image = reopen(found.value().get(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!image.ok()) {
        throw Error(fmt::format("{}: {}", name, error_text(image.error()))).with_code(image.error());
    }
    return std::move(image).value();
}

} // namespace nspawn
