// lease_table.hpp — the table of leases while it is ours: read, added to, cleared of the dead.
//
// Owns the lock of /run/nspawn/network as long as it lives, so that two starts at once never choose the same addresses,
// and the rule by which leases live and die: a machine's lease is alive as long as somebody holds the descriptor that
// add() gave. Several hosts, each with a network namespace of its own, may share one table: links and settings are
// those of the caller's namespace, which with its last lease gets its settings back (host_setting.hpp). Never chooses
// an address.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "lease/lease_record.hpp"
#include "lease/live_leases.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

class LeaseTable {
public:
    enum class Wait { yes, no };

    // Makes the directories if they are missing. With Wait::no, EAGAIN when somebody else has it just now.
    static Result<LeaseTable> lock(Wait wait, std::string directory = kLeaseDirectory);

    // Removes what dead machines left: their files, and with the last one of this host its changed settings.
    void sweep();
    [[nodiscard]] std::vector<LeaseRecord> leases() const { return read_live_leases(directory_.c_str()); }
    // Writes the machine's lease and its resolv.conf, if that is not empty. EEXIST: a living machine has that name.
    Result<UniqueFd> add(const LeaseRecord& lease, std::string_view resolv_conf);
    // Of a machine whose descriptor was closed or is ours. What is not there is fine.
    void remove(const std::string& machine);
    // A small file for whoever serves the machine's addresses by DHCP; it goes with the lease.
    Result<void> add_dhcp_host(const LeaseRecord& lease, std::string_view line);
    // Changes a file below /proc/sys for as long as there are leases. Errors: as open(2) and write(2).
    Result<void> change_setting(const std::string& name, const std::string& value);
    [[nodiscard]] bool has_changed(const std::string& name) const;

private:
    LeaseTable(std::string directory, UniqueFd lock) : directory_(std::move(directory)), lock_(std::move(lock)) {}

    std::string directory_;
    UniqueFd lock_;
};

// Where the machine's lease lies.
std::string lease_file(std::string_view machine, std::string_view directory = kLeaseDirectory);
// Where the machine's resolv.conf lies on the host.
std::string leased_resolv_conf(std::string_view machine, std::string_view directory = kLeaseDirectory);

// Where the files of add_dhcp_host() for a link of ours lie, and the file that whoever looks after it has locked.
std::string dhcp_hosts_directory(std::string_view link, std::string_view directory = kLeaseDirectory);
std::string link_lock_file(std::string_view link, std::string_view directory = kLeaseDirectory);

// The caller's network namespace, by its inode number.
uint64_t own_network_namespace();

} // namespace nspawn
