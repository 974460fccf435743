#include "linux/netlink_message.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace nspawn {

namespace {

constexpr size_t kMessageHeader = NLMSG_HDRLEN;
constexpr size_t kAttributeHeader = NLA_HDRLEN;
static_assert(NLMSG_ALIGNTO == NLA_ALIGNTO && kMessageHeader == sizeof(nlmsghdr) && kAttributeHeader == sizeof(nlattr));

constexpr size_t aligned(size_t size) { return (size + NLMSG_ALIGNTO - 1) & ~size_t{NLMSG_ALIGNTO - 1}; }

// Lengths do not count the padding that follows, and what comes last may have none.
template <typename Header>
const Header* take(std::span<const uint8_t>& left, size_t length) {
    if (length < sizeof(Header) || length > left.size()) {
        return nullptr;
    }
    const auto* const found = reinterpret_cast<const Header*>(left.data());
    left = left.subspan(std::min(aligned(length), left.size()));
    return found;
}

} // namespace

NetlinkMessage::NetlinkMessage(uint16_t type, unsigned flags, const void* header, size_t size) {
    nlmsghdr& own = own_header();
    own = {};
    own.nlmsg_type = type;
    own.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST | NLM_F_ACK);
    own.nlmsg_len = kMessageHeader;
    if (uint8_t* const place = append(size)) {
        std::memcpy(place, header, size);
    }
}

uint8_t* NetlinkMessage::append(size_t size) {
    const size_t start = header().nlmsg_len; // always aligned
    if (!fits_ || size > kCapacity - start || aligned(size) > kCapacity - start) {
        fits_ = false;
        return nullptr;
    }
    uint8_t* const place = bytes_.data() + start;
    std::memset(place + size, 0, aligned(size) - size);
    own_header().nlmsg_len = static_cast<uint32_t>(start + aligned(size));
    return place;
}

uint8_t* NetlinkMessage::append_attribute(int attribute, size_t size) {
    static_assert(kCapacity <= std::numeric_limits<uint16_t>::max()); // what fits has a length that can be written down
    uint8_t* const place = size > kCapacity ? append(size) : append(kAttributeHeader + size);
    if (place == nullptr) {
        return nullptr;
    }
    const nlattr header{static_cast<uint16_t>(kAttributeHeader + size), static_cast<uint16_t>(attribute)};
    std::memcpy(place, &header, sizeof header);
    return place + kAttributeHeader;
}

void NetlinkMessage::add_bytes(int attribute, const void* data, size_t size) {
    uint8_t* const place = append_attribute(attribute, size);
    if (place != nullptr && size > 0) {
        std::memcpy(place, data, size);
    }
}

void NetlinkMessage::add_text(int attribute, std::string_view text) {
    if (uint8_t* const place = append_attribute(attribute, text.size() + 1)) {
        *std::copy(text.begin(), text.end(), place) = 0;
    }
}

NetlinkMessage::Nest::Nest(NetlinkMessage& message, int attribute)
    : message_(message), start_(message.header().nlmsg_len) {
    message_.append_attribute(attribute | NLA_F_NESTED, 0);
}

NetlinkMessage::Nest::~Nest() {
    if (!message_.fits_) {
        return;
    }
    nlmsghdr& header = message_.own_header();
    const auto length = static_cast<uint16_t>(header.nlmsg_len - start_);
    if (length == kAttributeHeader) {
        header.nlmsg_len = static_cast<uint32_t>(start_);
        return;
    }
    reinterpret_cast<nlattr*>(message_.bytes_.data() + start_)->nla_len = length;
}

void NetlinkMessage::Nest::add_header(const void* data, size_t size) {
    if (uint8_t* const place = message_.append(size)) {
        std::memcpy(place, data, size);
    }
}

const nlmsghdr* take_message(std::span<const uint8_t>& left) {
    return left.size() < kMessageHeader
               ? nullptr
               : take<nlmsghdr>(left, reinterpret_cast<const nlmsghdr*>(left.data())->nlmsg_len);
}

const nlattr* take_attribute(std::span<const uint8_t>& left) {
    return left.size() < kAttributeHeader ? nullptr
                                          : take<nlattr>(left, reinterpret_cast<const nlattr*>(left.data())->nla_len);
}

std::span<const uint8_t> message_payload(const nlmsghdr& message) {
    return {reinterpret_cast<const uint8_t*>(&message) + kMessageHeader, message.nlmsg_len - kMessageHeader};
}

std::span<const uint8_t> attribute_bytes(const nlattr& attribute) {
    return {reinterpret_cast<const uint8_t*>(&attribute) + kAttributeHeader, attribute.nla_len - kAttributeHeader};
}

std::string_view attribute_text(const nlattr& attribute) {
    const std::span<const uint8_t> bytes = attribute_bytes(attribute);
    const auto* const data = reinterpret_cast<const char*>(bytes.data());
    return {data, strnlen(data, bytes.size())};
}

NetlinkAttributes::NetlinkAttributes(const nlmsghdr& message, size_t header_size) {
    const std::span<const uint8_t> payload = message_payload(message);
    bytes_ = payload.subspan(std::min(aligned(header_size), payload.size()));
}

const nlattr* NetlinkAttributes::find(int attribute) const {
    std::span<const uint8_t> left = bytes_;
    const nlattr* found = take_attribute(left);
    while (found != nullptr && (found->nla_type & NLA_TYPE_MASK) != attribute) {
        found = take_attribute(left);
    }
    return found;
}

std::span<const uint8_t> NetlinkAttributes::bytes(int attribute) const {
    const nlattr* const found = find(attribute);
    return found == nullptr ? std::span<const uint8_t>{} : attribute_bytes(*found);
}

std::string_view NetlinkAttributes::text(int attribute) const {
    const nlattr* const found = find(attribute);
    return found == nullptr ? std::string_view{} : attribute_text(*found);
}

void NetlinkAttributes::each(const std::function<void(const nlattr&)>& visit) const {
    std::span<const uint8_t> left = bytes_;
    while (const nlattr* const found = take_attribute(left)) {
        visit(*found);
    }
}

} // namespace nspawn
