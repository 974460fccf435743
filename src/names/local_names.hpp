// local_names.hpp — the names that a managed network answers to by itself.
//
// The machines of one link by their own names, the host as "host", "_gateway" and by its own name, "localhost", and the
// addresses of that network backwards. Pure; who is alive is told by whoever calls. What is not among them is somebody
// else's to answer. Names are compared without regard to case. Source: RFC 6761 section 6.3 for "localhost".
#pragma once

#include "lease/lease_record.hpp"
#include "names/dns_message.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nspawn {

struct LocalNames {
    std::string link;
    std::string host_name;             // of the host, lower case; empty: unknown
    std::vector<IpPrefix> networks;    // of the link; addresses in them are ours to name
    std::vector<IpAddress> gateways;   // the host's addresses in them
    std::vector<LeaseRecord> machines; // of the link, alive
};

struct LocalAnswer {
    dns::Outcome outcome = dns::Outcome::ok;
    std::vector<DnsRecord> records;
};

// No value: not ours.
std::optional<LocalAnswer> answer_locally(const DnsQuestion& question, const LocalNames& names);

} // namespace nspawn
