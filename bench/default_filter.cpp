// default_filter.cpp — writes the filter of a default container to a file, as an array of struct sock_filter: what
// floor and bwrap load, so that all competitors run under the same one.
#include "base/file.hpp"
#include "linux/capability.hpp"
#include "linux/seccomp_filter.hpp"

#include <cstdio>

#include <fcntl.h>

namespace {

void write_filter(const char* path) {
    nspawn::FilterPolicy policy;
    policy.retained = nspawn::kDefaultRetainedCapabilities;
    const std::vector<sock_filter> program = nspawn::build_filter(policy);
    const nspawn::UniqueFd file = nspawn::open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644).or_throw(path);
    const std::string_view bytes(reinterpret_cast<const char*>(program.data()), program.size() * sizeof program[0]);
    nspawn::write_all(file.get(), bytes).or_throw(path);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: default_filter FILE\n");
        return 2;
    }
    try {
        write_filter(argv[1]);
    } catch (const nspawn::Error& error) {
        std::fprintf(stderr, "default_filter: %s\n", error.what());
        return 1;
    }
    return 0;
}
