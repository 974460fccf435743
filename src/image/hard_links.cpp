#include "image/hard_links.hpp"

#include "base/file.hpp"
#include "base/path.hpp"

#include <climits>

#include <fcntl.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kLongestPiece = PATH_MAX - 1;

// The directory in which the last component of `path` lies, piece by piece; `path` keeps what is left to be looked up.
Result<UniqueFd> open_far_below(int top, std::string_view& path) {
    UniqueFd held;
    while (path.size() > kLongestPiece) {
        const size_t slash = path.rfind('/', kLongestPiece);
        if (slash == std::string_view::npos) {
            return SystemError{ENAMETOOLONG, "openat2"};
        }
        const std::string piece(path.substr(0, slash));
        Result<UniqueFd> next = open_beneath(held ? held.get() : top, piece.c_str(), O_PATH | O_DIRECTORY);
        if (!next.ok()) {
            return next;
        }
        held = std::move(next).value();
        path.remove_prefix(slash + 1);
    }
    return held;
}

} // namespace

Result<void> HardLinks::link(int top, const std::string& path, int directory, const char* name) {
    std::string_view rest = path;
    const Result<UniqueFd> holder = open_far_below(top, rest);
    if (!holder.ok()) {
        return holder.system_error();
    }
    const int from = holder.value() ? holder.value().get() : top;
    return check(linkat(from, std::string(rest).c_str(), directory, name, 0), "linkat");
}

} // namespace nspawn
