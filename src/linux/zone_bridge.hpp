// zone_bridge.hpp — the bridge of a zone: made by its first member, removed with its last.
//
// Owns the lock under which members come and go; systemd-nspawn takes the same one, so that both can have members in
// one zone. Never touches a bridge that has members, nor anything that is no bridge.
// Source: systemd-nspawn(1) --network-zone=; the lock is what systemd-nspawn is seen to take.
#pragma once

#include "linux/link.hpp"

#include <optional>
#include <string>

namespace nspawn {

// Held while it lives.
class ZoneLock {
public:
    enum class IfTaken { wait, fail };
    static Result<ZoneLock> take(IfTaken if_taken = IfTaken::wait); // EAGAIN: somebody has it
    ZoneLock(ZoneLock&&) = default;
    ZoneLock& operator=(ZoneLock&&) = delete;
    ~ZoneLock();

private:
    explicit ZoneLock(UniqueFd file) : file_(std::move(file)) {}
    UniqueFd file_;
};

// The bridge of this name, made if it is missing. Call both with the lock held. EEXIST: that is no bridge.
// `first`: the hardware address of the member that is about to join, which a new bridge takes for good (else any). One
// that is given none takes that of a member too, but another when that one leaves: the others would send to the old one
// until their neighbour tables forget it.
Result<Link> find_or_make_zone_bridge(NetlinkSocket& socket, const std::string& name,
                                      const std::optional<MacAddress>& first, const ZoneLock& lock);
// Nothing to do when it has members, or is gone.
Result<void> remove_zone_bridge_if_empty(NetlinkSocket& socket, const std::string& name, const ZoneLock& lock);

// For a leftover of a killed run: takes the lock itself. EAGAIN: it has members still, after a second.
Result<void> reclaim_zone_bridge(const std::string& name);

} // namespace nspawn
