// network.hpp — carries out the network plan: the interfaces of one start of the container, and what is given back.
//
// Owns the interfaces that the host has lent and the membership in zones. What the kernel takes away with the
// container's network namespace is left to it, since that costs nobody's time. Never sets up what the payload's own
// network manager is for. Source: systemd-nspawn(1) "Networking Options", rtnetlink(7).
#pragma once

#include "image/scratch_record.hpp"
#include "linux/lent_link.hpp"
#include "plan/plan.hpp"

#include <string>
#include <vector>

namespace nspawn {

// The namespace that the plan joins; invalid: none.
UniqueFd open_joined_namespace(const NetworkPlan& network);

class Network {
public:
    // Makes, moves and sets up all links of the plan. `leader` is in the container's network namespace by now, is not
    // let go yet, and is ours to wait for.
    void make(const Plan& plan, pid_t leader, ScratchRecord& record);

    // Once the payload has ended: what the host has lent.
    void take_back(ScratchRecord& record);
    // Leaves the zones; a bridge goes with its last member. `wait`: else a process of its own does so and takes the
    // record over, so that we can end meanwhile.
    void leave_zones(ScratchRecord& record, bool wait);
    [[nodiscard]] bool is_in_zones() const { return !zones_.empty(); }

private:
    void make_link(NetlinkSocket& socket, const Plan& plan, const PlannedLink& link, pid_t leader,
                   ScratchRecord& record);
    void join_zone(NetlinkSocket& socket, const Plan& plan, const PlannedLink& link, ScratchRecord& record);
    void lend_all(NetlinkSocket& socket, const std::vector<PlannedLink>& links, ScratchRecord& record);

    UniqueFd namespace_; // the container's; kept only while something is lent
    std::vector<LentLink> lent_;
    struct Membership {
        std::string bridge;
        int link = 0; // number of our end
    };
    std::vector<Membership> zones_;
};

} // namespace nspawn
