// host_ids.hpp — which ids belong to users and groups of the host, so that no container is given them.
//
// Reads the host's own passwd, group, subuid and subgid files, bounded; a malformed line is skipped. A static program
// cannot ask the name service, so where nsswitch.conf names more than files, the host's getent is asked for the first
// and the last id. Sources: passwd(5), group(5), subuid(5), nsswitch.conf(5), getent(1).
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace nspawn {

class HostIds {
public:
    static HostIds read();

    // Lines "NAME:…:ID:…" of passwd and group; "NAME:FIRST:COUNT" of subuid and subgid.
    void add_users(std::string_view file);
    void add_delegated(std::string_view file);
    void set_other_databases(bool exist) { other_databases_ = exist; }

    // One of these ids is somebody's.
    [[nodiscard]] bool any_of(uint32_t first, uint32_t count) const;

private:
    [[nodiscard]] bool known_elsewhere(uint32_t first, uint32_t count) const;

    std::vector<std::pair<uint64_t, uint64_t>> ranges_; // first and one past the last
    bool other_databases_ = false;
};

// nsswitch.conf(5) names databases of users or groups other than the files that are read here.
bool names_other_databases(std::string_view nsswitch);

} // namespace nspawn
