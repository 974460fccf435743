// Any value of --bind=, --tmpfs=, --overlay= and --inaccessible=: never a crash, never a mount that breaks the promises
// of custom_mount.hpp, and what is written out is read as the same again.
#include "base/error.hpp"
#include "base/path.hpp"
#include "config/custom_mount.hpp"
#include "plan/tmpfs_options.hpp"
#include "planted_bug.hpp"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <string>

#include <fuzzer/FuzzedDataProvider.h>

namespace {

using nspawn::CustomMount;

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

CustomMount parse(unsigned kind, bool read_only, const std::string& text) {
    switch (kind) {
    case 0:
        return nspawn::parse_bind(text, read_only, "/start");
    case 1:
        return nspawn::parse_tmpfs(text);
    case 2:
        return nspawn::parse_overlay(text, read_only);
    default:
        return nspawn::parse_inaccessible(text);
    }
}

void check_path(const std::string& path) {
    require(nspawn::is_absolute(path) && path.size() < PATH_MAX);
    require(path == nspawn::simplified(path));
}

void check_mount(const CustomMount& mount) {
    check_path(mount.destination);
    require(mount.destination.find("/../") == std::string::npos && !mount.destination.ends_with("/.."));
    require(mount.destination != "/" || mount.kind == nspawn::CustomMountKind::bind);
    for (const nspawn::MountSource& source : mount.sources) {
        require(!source.in_tree || !source.path.empty());
        if (!source.path.empty()) {
            check_path(source.path);
        }
    }
    if (mount.mapping == nspawn::BindMapping::ranges) {
        require(nspawn::find_id_range_problem(mount.ranges).empty());
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider input(data, size);
    const unsigned kind = input.ConsumeIntegralInRange(0U, 3U);
    const bool read_only = input.ConsumeBool();
    const std::string text = input.ConsumeRemainingBytesAsString();
    (void)nspawn::split_tmpfs_options(text);
    try {
        const CustomMount mount = parse(kind, read_only, text);
        check_mount(mount);
        const std::string written = nspawn::format_custom_mount(mount);
        require(nspawn::format_custom_mount(parse(kind, read_only, written)) == written);
        nspawn::fuzz::planted_bug(kind == 2 && mount.sources.size() > 3, text);
    } catch (const nspawn::Error&) {
        // not in the grammar
    }
    return 0;
}
