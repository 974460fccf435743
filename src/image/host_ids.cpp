#include "image/host_ids.hpp"

#include "base/file.hpp"
#include "base/text.hpp"
#include "linux/program_output.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <fcntl.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kMaxFile = size_t{16} << 20;
constexpr int kPatience = 5'000; // milliseconds for one question
constexpr const char* kGetent = "/usr/bin/getent";
// Those whose ids are all in files, below 65536 or of containers.
constexpr std::string_view kHarmlessServices[] = {"files", "compat", "db", "systemd", "mymachines"};

// A file that is missing or cannot be read has nothing to say.
std::string read_host_file(const char* path) { return read_file(AT_FDCWD, path, kMaxFile).value_or(""); }

// An answer that does not come in time, or does not end, counts as yes: another range is tried.
bool getent_knows(const char* database, uint32_t id) {
    Result<ProgramOutput> answer = read_program({kGetent, database, fmt::to_string(id)}, kMaxFile, kPatience);
    if (answer.error() == ETIMEDOUT || answer.error() == EFBIG) {
        return true;
    }
    return std::move(answer).or_throw("asking getent").status == 0;
}

} // namespace

bool names_other_databases(std::string_view nsswitch) {
    while (!nsswitch.empty()) {
        std::string_view line = take_until(nsswitch, '\n');
        line = line.substr(0, line.find('#'));
        const std::string_view database = trim(take_until(line, ':'));
        if (database != "passwd" && database != "group") {
            continue;
        }
        for (const std::string_view word : split_any(line, " \t")) {
            const bool reaction = word.starts_with('[') || word.ends_with(']');
            if (!reaction && std::ranges::find(kHarmlessServices, word) == std::end(kHarmlessServices)) {
                return true;
            }
        }
    }
    return false;
}

HostIds HostIds::read() {
    HostIds ids;
    ids.add_users(read_host_file("/etc/passwd"));
    ids.add_users(read_host_file("/etc/group"));
    ids.add_delegated(read_host_file("/etc/subuid"));
    ids.add_delegated(read_host_file("/etc/subgid"));
    ids.set_other_databases(names_other_databases(read_host_file("/etc/nsswitch.conf")));
    return ids;
}

void HostIds::add_users(std::string_view file) {
    while (!file.empty()) {
        std::string_view line = take_until(file, '\n');
        take_until(line, ':'); // name
        take_until(line, ':'); // password
        if (const auto id = parse_unsigned(take_until(line, ':'))) {
            ranges_.emplace_back(*id, *id + 1);
        }
    }
}

void HostIds::add_delegated(std::string_view file) {
    while (!file.empty()) {
        std::string_view line = take_until(file, '\n');
        take_until(line, ':'); // name
        const auto first = parse_unsigned(take_until(line, ':'));
        const auto count = parse_unsigned(trim(line));
        if (first && count && *first <= UINT32_MAX && *count <= UINT32_MAX) {
            ranges_.emplace_back(*first, *first + *count);
        }
    }
}

bool HostIds::known_elsewhere(uint32_t first, uint32_t count) const {
    if (!other_databases_ || access(kGetent, X_OK) != 0) {
        return false;
    }
    const uint32_t last = first + count - 2; // 65535 of a container is nobody's, and 65534 everybody's
    return getent_knows("passwd", first) || getent_knows("group", first) || getent_knows("passwd", last) ||
           getent_knows("group", last);
}

bool HostIds::any_of(uint32_t first, uint32_t count) const {
    const uint64_t end = uint64_t{first} + count;
    return std::ranges::any_of(ranges_, [&](const auto& range) { return range.first < end && first < range.second; }) ||
           known_elsewhere(first, count);
}

} // namespace nspawn
