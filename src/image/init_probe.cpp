#include "image/init_probe.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include <elf.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr const char* kInits[] = {"/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init"};
constexpr std::string_view kLibraryPrefix = "libsystemd-shared-";
constexpr size_t kMaxEntries = 4096; // of a directory that a hostile tree may have filled

#if defined(__x86_64__)
constexpr uint16_t k32BitMachine = EM_386;
#elif defined(__aarch64__)
constexpr uint16_t k32BitMachine = EM_ARM;
#elif defined(__powerpc64__)
constexpr uint16_t k32BitMachine = EM_PPC;
#elif defined(__s390x__)
constexpr uint16_t k32BitMachine = EM_S390;
#else
constexpr uint16_t k32BitMachine = EM_NONE;
#endif

template <typename Visit>
void for_each_name(int tree, const char* path, Visit visit) {
    const Result<UniqueFd> directory = open_in_root(tree, path, O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_XDEV);
    if (!directory.ok()) {
        return;
    }
    size_t count = 0;
    (void)for_each_entry(directory.value().get(), [&](const dirent64& entry) {
        visit(std::string_view(entry.d_name));
        return ++count < kMaxEntries;
    });
}

// "libsystemd-shared-252.so", also with a distribution's suffix: "libsystemd-shared-252.5-2.so".
std::optional<unsigned> version_in(std::string_view name) {
    if (!name.starts_with(kLibraryPrefix) || !name.ends_with(".so")) {
        return std::nullopt;
    }
    const std::string_view rest = name.substr(kLibraryPrefix.size());
    const auto number = parse_unsigned(rest.substr(0, rest.find_first_not_of("0123456789")));
    return number && *number <= 9999 ? std::optional(static_cast<unsigned>(*number)) : std::nullopt;
}

} // namespace

bool is_32bit_program(int tree, const char* program) {
    if (sizeof(void*) == 4 || k32BitMachine == EM_NONE) {
        return false;
    }
    const Result<UniqueFd> file = open_in_root(tree, program, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, RESOLVE_NO_XDEV);
    Elf32_Ehdr header{};
    struct stat status {};
    if (!file.ok() || fstat(file.value().get(), &status) < 0 || !S_ISREG(status.st_mode) ||
        pread(file.value().get(), &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) {
        return false;
    }
    return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS32 &&
           header.e_machine == k32BitMachine;
}

const char* find_init(int tree) {
    for (const char* init : kInits) {
        if (open_in_root(tree, init, O_PATH).ok()) {
            return init;
        }
    }
    return nullptr;
}

std::optional<unsigned> find_systemd_version(int tree) {
    std::optional<unsigned> best;
    const auto look_in = [&](const char* path) {
        for_each_name(tree, path, [&](std::string_view name) { best = std::max(best, version_in(name)); });
    };
    for (const char* path : {"usr/lib/systemd", "usr/lib64/systemd", "lib/systemd", "lib64/systemd"}) {
        look_in(path);
        if (best) {
            return best;
        }
    }
    for_each_name(tree, "usr/lib", [&](std::string_view name) {
        if (name.ends_with("-linux-gnu") || name.find("-linux-") != std::string_view::npos) {
            look_in(fmt::format("usr/lib/{}/systemd", name).c_str());
        }
    });
    return best;
}

} // namespace nspawn
