#include "image/worker_program.hpp"

#include "base/error.hpp"
#include "base/path.hpp"
#include "base/result.hpp"

#include <fmt/format.h>

#include <array>
#include <climits>

#include <unistd.h>

namespace nspawn {

namespace {

// Where the running program lies: the kernel's word, not argv[0].
std::string own_directory() {
    std::array<char, PATH_MAX> path; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlink
    const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
    check(size, "readlink").or_throw("finding the own program (is /proc mounted?)");
    return parent_of(std::string_view(path.data(), static_cast<size_t>(size)));
}

} // namespace

std::string find_worker(std::string_view name, std::string_view purpose) {
    const std::string directory = own_directory();
    const std::string places[] = {join(join(directory, NSPAWN_WORKERS_FROM_PROGRAM), name), join(directory, name)};
    for (const std::string& path : places) {
        if (access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    throw Error(fmt::format("{} need the program {}, which is neither {} nor {}", purpose, name, places[0], places[1]),
                "It is a part of nspawn's installation.")
        .with_code(ENOENT);
}

} // namespace nspawn
