// lent_link.hpp — an interface of the host that a container has for a while.
//
// Owns nothing: says what has to be known to get it back, and gets it back. When a network namespace ends, the kernel
// moves hardware into the first one and deletes the rest; it keeps the number of an interface and its name in the
// container, and the name that it had before is for us to restore. A wireless one goes with its radio (wireless.hpp).
// Source: rtnetlink(7), network_namespaces(7).
#pragma once

#include "linux/link.hpp"

#include <string>

namespace nspawn {

struct LentLink {
    std::string host_name = {};
    std::string name = {};              // in the container
    int index = 0;                      // on the host
    std::optional<MacAddress> mac = {}; // the permanent one if it has one, which the payload cannot change
    bool hardware = false;              // it outlives the namespace that it is in
    std::optional<uint32_t> radio = {}; // of a wireless one; not in the record, since the kernel moves it back

    // As one word, for a record.
    [[nodiscard]] std::string text() const;
    static std::optional<LentLink> parse(std::string_view text);
};

// From our network namespace into that one. ENODEV: it is not here any more.
Result<void> lend_link(NetlinkSocket& socket, const LentLink& link, int network_namespace, int own_namespace);
// Back into ours, under its old name, or under another one when that is taken (EEXIST; it is back all the same).
Result<void> take_link_back(const LentLink& link, int from_namespace, int own_namespace);
// After the kernel has moved it: its old name. EBUSY: it is not back.
Result<void> reclaim_lent_link(const LentLink& link);

} // namespace nspawn
