#include "run/unix_export.hpp"

#include "plan/mount_table.hpp"

#include <fmt/format.h>

#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr const char* kExportDirectory = "/run/systemd/nspawn/unix-export";

// False when it was there already.
bool make_directory(const char* path) {
    if (mkdir(path, 0755) == 0) {
        return true;
    }
    if (errno != EEXIST) {
        throw_system_error(errno, "mkdir", path);
    }
    return false;
}

} // namespace

ScratchMount export_sockets(const Plan& plan, ScratchRecord& record) {
    const std::string& path = plan.unix_export;
    record.add(ScratchKind::mount, path);
    for (const char* directory : {"/run/systemd", "/run/systemd/nspawn", kExportDirectory}) {
        make_directory(directory);
    }
    if (!make_directory(path.c_str())) {
        reclaim_dead_runs(&record); // perhaps one of them left it
        make_directory(path.c_str());
    }
    Result<ScratchMount> mount =
        ScratchMount::create(path, plan.unix_export_options, kUnixExportAttributes | MOUNT_ATTR_RDONLY);
    if (mount.error() == EEXIST) {
        throw Error(fmt::format("{} is mounted already", path),
                    "Another container of this name is running; give this one another name with --machine=.")
            .with_code(EEXIST);
    }
    return std::move(mount).or_throw(path);
}

std::string unix_export_path(const std::string& machine) { return fmt::format("{}/{}", kExportDirectory, machine); }

} // namespace nspawn
