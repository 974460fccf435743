// dns_message.hpp — as much of DNS messages as a forwarder that knows a few names itself has to understand.
//
// Pure, on bytes from containers and from other servers, both hostile: everything is bounded by the message, names in
// questions have no compression, and what a forwarder need not understand is passed on unread. Source: RFC 1035
// sections 3 and 4, RFC 5452 section 9 (what makes an answer one to our question).
#pragma once

#include "linux/ip_address.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

using Bytes = std::span<const uint8_t>;

inline constexpr size_t kLargestDnsMessage = 65535;

namespace dns {
inline constexpr uint16_t kTypeA = 1;
inline constexpr uint16_t kTypePtr = 12;
inline constexpr uint16_t kTypeAaaa = 28;
inline constexpr uint16_t kTypeAny = 255;
inline constexpr uint16_t kClassInternet = 1;

enum class Outcome : uint8_t {
    ok = 0,
    malformed = 1,
    server_failed = 2,
    no_such_name = 3,
    not_implemented = 4,
    refused = 5
};
} // namespace dns

struct DnsQuestion {
    std::string
        name; // lower case, dots between labels, none at the end; bytes that are no host name's are as they came
    uint16_t type = 0;
    uint16_t klass = 0;
};

struct DnsQuery {
    uint16_t id = 0;
    bool recursion_desired = false;
    DnsQuestion question;
    size_t question_end = 0; // where the question section ends in the message
};

// A standard query with one question. No value: anything else.
std::optional<DnsQuery> parse_dns_query(Bytes message);
// The id and opcode can be read, so that "malformed" or "not implemented" can be answered; no value: not even that, or
// no query at all (answering an answer would start a ping-pong).
std::optional<dns::Outcome> complaint_about(Bytes message);

struct DnsRecord {
    uint16_t type = 0;
    std::vector<uint8_t> data;
};
DnsRecord address_record(const IpAddress& address);
// No value: `name` cannot be written as labels.
std::optional<DnsRecord> pointer_record(std::string_view name);

// To a question that parse_dns_query() has read out of `message`.
std::vector<uint8_t> make_dns_answer(Bytes message, const DnsQuery& query, dns::Outcome outcome,
                                     std::span<const DnsRecord> records);
// Only a header. `message` has twelve bytes at least.
std::vector<uint8_t> make_dns_error(Bytes message, dns::Outcome outcome);

// `reply` answers `query`, which was sent with the id `id`.
bool is_reply_to(Bytes reply, Bytes query, size_t question_end, uint16_t id);
void set_dns_id(std::span<uint8_t> message, uint16_t id);

// The address in "4.3.2.1.in-addr.arpa" or "….ip6.arpa"; no value: not of that form.
std::optional<IpAddress> address_of_reverse_name(std::string_view name);

} // namespace nspawn
