#include "run/incoming_directory.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr const char* kPropagateDirectory = "/run/systemd/nspawn/propagate";
constexpr mode_t kMode = 0600;

Result<void> make_at(const std::string& path) { return check(mkdir(path.c_str(), kMode), "mkdir"); }

} // namespace

std::string IncomingDirectory::path_of(const std::string& machine) {
    return fmt::format("{}/{}", kPropagateDirectory, machine);
}

IncomingDirectory::IncomingDirectory(IncomingDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})), claim_(std::move(other.claim_)) {}

IncomingDirectory& IncomingDirectory::operator=(IncomingDirectory&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(claim_, other.claim_);
    return *this;
}

IncomingDirectory::~IncomingDirectory() { (void)remove(); }

IncomingDirectory IncomingDirectory::make(const std::string& path, ScratchRecord& record) {
    record.add(ScratchKind::directory, path);
    // From here on nobody removes it, neither another run that ends nor one that clears up after dead ones.
    PathClaim claim = PathClaim::share(path).or_throw(path);
    Result<void> made = make_at(path);
    if (made.error() == ENOENT) {
        for (const char* component : {"/run/systemd", "/run/systemd/nspawn", kPropagateDirectory}) {
            if (mkdir(component, 0755) < 0 && errno != EEXIST) {
                throw_system_error(errno, "mkdir", component);
            }
        }
        made = make_at(path);
    }
    if (made.error() != EEXIST) { // of a live run with the same name, or of one that was killed
        made.or_throw(path);
    }
    return {path, std::move(claim)};
}

Result<void> IncomingDirectory::remove() {
    const std::string path = std::exchange(path_, {});
    if (path.empty()) {
        return {};
    }
    PathClaim claim = std::exchange(claim_, {}); // until it is removed
    const Result<void> alone = claim.become_alone();
    if (!alone.ok()) {
        return alone.error() == EAGAIN ? Result<void>() : alone;
    }
    const Result<void> removed = check(rmdir(path.c_str()), "rmdir");
    return removed.error() == ENOENT ? Result<void>() : removed;
}

} // namespace nspawn
