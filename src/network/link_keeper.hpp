// link_keeper.hpp — the one process that looks after a link which several containers may share: NAT, names and DHCP.
//
// Each container's worker starts one, and the lock of the link decides whose keeps it; the others wait until that one
// ends and take over at once. DHCP has a lock of its own, among those that are asked for it. What it makes ends with
// it: the packet filter's table belongs to it, the name server's sockets are its own, dnsmasq dies with it. Has no
// privileges left while it serves names. Never outlives the worker.
#pragma once

#include "base/unique_fd.hpp"
#include "config/managed_network.hpp"
#include "linux/process.hpp"
#include "network/managed_rules.hpp"

#include <string>
#include <vector>

namespace nspawn {

class LinkKeeper {
public:
    LinkKeeper() = default;
    // Starts the process; it makes what needs no link. Throws Error.
    explicit LinkKeeper(const ManagedNetwork& network);
    LinkKeeper(LinkKeeper&&) = default;
    LinkKeeper& operator=(LinkKeeper&& other) noexcept;
    ~LinkKeeper() { stop(); }

    // The link is there and has its addresses. Waits until it is looked after, by this process or another one; answers
    // with what it has to say to the user. Throws Error: it cannot be.
    std::vector<std::string> go(const std::vector<std::string>& opened);
    // Readable when the process has ended.
    [[nodiscard]] int fd() const { return process_.get(); }
    void stop();

private:
    UniqueFd channel_;
    Pidfd process_;
};

} // namespace nspawn
