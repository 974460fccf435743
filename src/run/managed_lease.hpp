// managed_lease.hpp — the addresses of one start: chosen, and kept from everybody else as long as the container runs.
//
// Looks at what the host has and at what others hold, while the table of leases is locked, and writes the choice down
// before anything is made of it; addresses that were given with --network= beside it, so that others know the machine
// by its name. Owns the lease; a killed run's ends with it, and what it leaves is in our
// ScratchRecord. Sets nothing on links: nspawn-network does. Choice: plan/address_pool.hpp.
#pragma once

#include "base/unique_fd.hpp"
#include "config/managed_network.hpp"
#include "image/scratch_record.hpp"
#include "plan/managed_plan.hpp"

#include <string>

namespace nspawn {

class ManagedLease {
public:
    ManagedLease() = default; // there is none
    // Throws Error: somebody else manages the link, or no addresses are left. With `plan.step_back` nothing is chosen
    // where somebody else manages the link.
    static ManagedLease acquire(const std::string& machine, const ManagedPlan& plan, std::vector<FixedAddress> fixed,
                                ScratchRecord& record);
    ManagedLease(ManagedLease&&) = default;
    ManagedLease& operator=(ManagedLease&& other) noexcept;
    ~ManagedLease() { release(); }

    // With an empty link: none is managed.
    [[nodiscard]] const ManagedNetwork& network() const { return network_; }
    // Before the end of nspawn-network is waited for. False: something could not be given back.
    bool release();

private:
    std::string machine_;
    ManagedNetwork network_;
    UniqueFd held_;
};

} // namespace nspawn
