#include "run/joined_namespace.hpp"

#include "base/error.hpp"
#include "base/file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

namespace nspawn {

void join_namespace(const OciNamespace& space) {
    const std::string doing = fmt::format("config.json: {}: {}", space.place, space.path);
    // Not a FIFO that nobody writes to.
    const UniqueFd file = open_at(AT_FDCWD, space.path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY).or_throw(doing);
    const Result<void> joined = check(setns(file.get(), static_cast<int>(space.type)), "setns");
    if (joined.error() == EINVAL) {
        const bool of_this_kind = ioctl(file.get(), NS_GET_NSTYPE) == static_cast<int>(space.type);
        throw Error(fmt::format("{} is no namespace {}", doing, of_this_kind ? "below our own" : "of this kind"))
            .with_code(EINVAL);
    }
    joined.or_throw(doing);
}

const OciNamespace* find_joined_pid_namespace(const OciRuntime* bundle) {
    if (bundle == nullptr) {
        return nullptr;
    }
    const auto found = std::find_if(bundle->joined_namespaces.begin(), bundle->joined_namespaces.end(),
                                    [](const OciNamespace& space) { return space.type == CLONE_NEWPID; });
    return found == bundle->joined_namespaces.end() ? nullptr : &*found;
}

BirthNamespace::BirthNamespace(const OciRuntime* bundle) {
    const OciNamespace* const space = find_joined_pid_namespace(bundle);
    if (space == nullptr) {
        return;
    }
    own_ = open_at(AT_FDCWD, "/proc/self/ns/pid", O_RDONLY).or_throw("our own pid namespace");
    join_namespace(*space);
}

// Our own is the one that is always there to go back to.
BirthNamespace::~BirthNamespace() {
    if (own_) {
        (void)setns(own_.get(), CLONE_NEWPID);
    }
}

} // namespace nspawn
