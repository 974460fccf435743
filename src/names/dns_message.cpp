#include "names/dns_message.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>

#include <sys/socket.h>

namespace nspawn {

namespace {

constexpr size_t kHeaderSize = 12;
constexpr size_t kLongestLabel = 63;
constexpr size_t kLongestName = 253; // as text
constexpr uint32_t kTimeToLive = 5;  // seconds: machines come and go
constexpr uint8_t kAnswerBit = 0x80;
constexpr uint8_t kAuthoritativeBit = 0x04;
constexpr uint8_t kRecursionDesiredBit = 0x01;
constexpr uint8_t kRecursionAvailableBit = 0x80;

uint16_t number_at(Bytes message, size_t at) { return static_cast<uint16_t>(message[at] << 8 | message[at + 1]); }

void put_number(std::vector<uint8_t>& message, uint32_t number, unsigned bytes) {
    for (unsigned i = bytes; i-- > 0;) {
        message.push_back(static_cast<uint8_t>(number >> (8 * i)));
    }
}

uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c + 32) : c; }

unsigned opcode_of(Bytes message) { return message[2] >> 3 & 0xf; }

// Behind the name; no value: it runs over the end, is too long, or has a pointer in it.
std::optional<size_t> read_name(Bytes message, size_t at, std::string& name) {
    for (;;) {
        if (at >= message.size()) {
            return std::nullopt;
        }
        const size_t length = message[at++];
        if (length == 0) {
            return at;
        }
        if (length > kLongestLabel || length > message.size() - at || name.size() + 1 + length > kLongestName) {
            return std::nullopt;
        }
        if (!name.empty()) {
            name += '.';
        }
        for (const uint8_t byte : message.subspan(at, length)) {
            name += static_cast<char>(lower(byte));
        }
        at += length;
    }
}

void put_header(std::vector<uint8_t>& answer, Bytes message, dns::Outcome outcome, bool authoritative) {
    answer.assign(message.begin(), message.begin() + kHeaderSize);
    const unsigned kept = answer[2] & (0x78U | kRecursionDesiredBit); // the opcode as well
    answer[2] = static_cast<uint8_t>(kept | kAnswerBit | (authoritative ? kAuthoritativeBit : 0U));
    answer[3] = static_cast<uint8_t>(kRecursionAvailableBit | static_cast<uint8_t>(outcome));
    std::fill(answer.begin() + 4, answer.end(), uint8_t{0}); // no sections
}

std::optional<IpAddress> ipv4_of_reverse_name(std::string_view labels) {
    std::vector<std::string_view> parts = split(labels, '.');
    if (parts.size() != 4) {
        return std::nullopt;
    }
    std::string text;
    for (size_t i = 4; i-- > 0;) {
        text.append(parts[i]).append(i > 0 ? "." : "");
    }
    return parse_ip_address(text);
}

std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return static_cast<unsigned>(c - '0');
    }
    return c >= 'a' && c <= 'f' ? std::optional(static_cast<unsigned>(c - 'a') + 10U) : std::nullopt;
}

std::optional<IpAddress> ipv6_of_reverse_name(std::string_view labels) {
    constexpr size_t kNibbles = 32;
    if (labels.size() != 2 * kNibbles - 1) {
        return std::nullopt;
    }
    IpAddress address{.family = AF_INET6};
    for (size_t i = 0; i < kNibbles; ++i) {
        const auto digit = hex_digit(labels[2 * i]);
        if (!digit || (i + 1 < kNibbles && labels[2 * i + 1] != '.')) {
            return std::nullopt;
        }
        uint8_t& byte = address.octets.at(15 - i / 2);
        byte = static_cast<uint8_t>(byte | *digit << (i % 2 == 0 ? 0 : 4));
    }
    return address;
}

} // namespace

std::optional<DnsQuery> parse_dns_query(Bytes message) {
    if (message.size() < kHeaderSize || message.size() > kLargestDnsMessage || (message[2] & kAnswerBit) != 0 ||
        opcode_of(message) != 0 || number_at(message, 4) != 1) {
        return std::nullopt;
    }
    DnsQuery query;
    query.id = number_at(message, 0);
    query.recursion_desired = (message[2] & kRecursionDesiredBit) != 0;
    const std::optional<size_t> end = read_name(message, kHeaderSize, query.question.name);
    if (!end || message.size() - *end < 4) {
        return std::nullopt;
    }
    query.question.type = number_at(message, *end);
    query.question.klass = number_at(message, *end + 2);
    query.question_end = *end + 4;
    return query;
}

std::optional<dns::Outcome> complaint_about(Bytes message) {
    if (message.size() < kHeaderSize || (message[2] & kAnswerBit) != 0) {
        return std::nullopt;
    }
    return opcode_of(message) != 0 ? dns::Outcome::not_implemented : dns::Outcome::malformed;
}

DnsRecord address_record(const IpAddress& address) {
    const Bytes octets = Bytes(address.octets).first(address.size());
    return {address.family == AF_INET ? dns::kTypeA : dns::kTypeAaaa, {octets.begin(), octets.end()}};
}

std::optional<DnsRecord> pointer_record(std::string_view name) {
    DnsRecord record{dns::kTypePtr, {}};
    if (name.empty() || name.size() > kLongestName) {
        return std::nullopt;
    }
    for (const std::string_view label : split(name, '.')) {
        if (label.empty() || label.size() > kLongestLabel) {
            return std::nullopt;
        }
        record.data.push_back(static_cast<uint8_t>(label.size()));
        record.data.insert(record.data.end(), label.begin(), label.end());
    }
    record.data.push_back(0);
    return record;
}

std::vector<uint8_t> make_dns_answer(Bytes message, const DnsQuery& query, dns::Outcome outcome,
                                     std::span<const DnsRecord> records) {
    constexpr uint16_t kNameOfQuestion = 0xc000 | kHeaderSize;
    std::vector<uint8_t> answer;
    put_header(answer, message, outcome, true);
    answer[5] = 1; // the question
    answer[7] = static_cast<uint8_t>(records.size());
    answer.insert(answer.end(), message.begin() + kHeaderSize,
                  message.begin() + static_cast<std::ptrdiff_t>(query.question_end));
    for (const DnsRecord& record : records) {
        put_number(answer, kNameOfQuestion, 2);
        put_number(answer, record.type, 2);
        put_number(answer, dns::kClassInternet, 2);
        put_number(answer, kTimeToLive, 4);
        put_number(answer, static_cast<uint32_t>(record.data.size()), 2);
        answer.insert(answer.end(), record.data.begin(), record.data.end());
    }
    return answer;
}

std::vector<uint8_t> make_dns_error(Bytes message, dns::Outcome outcome) {
    std::vector<uint8_t> answer;
    put_header(answer, message, outcome, false);
    return answer;
}

bool is_reply_to(Bytes reply, Bytes query, size_t question_end, uint16_t id) {
    if (reply.size() < kHeaderSize || (reply[2] & kAnswerBit) == 0 || number_at(reply, 0) != id) {
        return false;
    }
    if (number_at(reply, 4) == 0) { // "I could not even read it"
        return true;
    }
    if (reply.size() < question_end || number_at(reply, 4) != 1) {
        return false;
    }
    return std::equal(reply.begin() + kHeaderSize, reply.begin() + static_cast<std::ptrdiff_t>(question_end),
                      query.begin() + kHeaderSize, [](uint8_t a, uint8_t b) { return lower(a) == lower(b); });
}

void set_dns_id(std::span<uint8_t> message, uint16_t id) {
    message[0] = static_cast<uint8_t>(id >> 8);
    message[1] = static_cast<uint8_t>(id);
}

std::optional<IpAddress> address_of_reverse_name(std::string_view name) {
    constexpr std::string_view kIpv4 = ".in-addr.arpa";
    constexpr std::string_view kIpv6 = ".ip6.arpa";
    if (name.ends_with(kIpv4)) {
        return ipv4_of_reverse_name(name.substr(0, name.size() - kIpv4.size()));
    }
    if (name.ends_with(kIpv6)) {
        return ipv6_of_reverse_name(name.substr(0, name.size() - kIpv6.size()));
    }
    return std::nullopt;
}

} // namespace nspawn
