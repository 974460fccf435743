// netlink_message.hpp — netlink messages and attributes as bytes: one that puts a request together, one that reads
// answers.
//
// Owns the bytes of a request, which are bounded: what does not fit is remembered and never sent. Reads what others
// own, and never beyond its end, whatever lengths it claims. No socket, no system call; knows no family. Written here
// instead of taken from libnl, whose one static object brings the whole resolver of libc into every start. Source:
// netlink(7), rtnetlink(7), the kernel's Documentation/userspace-api/netlink/intro.rst and linux/netlink.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include <linux/netlink.h>

namespace nspawn {

// One request while it is put together.
class NetlinkMessage {
public:
    // `header` is the family's own, e.g. ifinfomsg. NLM_F_REQUEST and NLM_F_ACK need not be said.
    template <typename Header>
    NetlinkMessage(uint16_t type, unsigned flags, const Header& header)
        : NetlinkMessage(type, flags, &header, sizeof header) {
        static_assert(std::is_trivially_copyable_v<Header>);
    }

    void add_bytes(int attribute, const void* data, size_t size);
    void add_text(int attribute, std::string_view text); // with the closing zero byte
    template <typename Number>
    void add_number(int attribute, Number value) {
        static_assert(std::is_trivially_copyable_v<Number>);
        add_bytes(attribute, &value, sizeof value);
    }

    // Attributes that are added while it lives belong to this one. One that stayed empty is taken back.
    class Nest {
    public:
        Nest(NetlinkMessage& message, int attribute);
        Nest(const Nest&) = delete;
        Nest& operator=(const Nest&) = delete;
        ~Nest();
        // A family's header between the nest and its attributes, as VETH_INFO_PEER has it.
        void add_header(const void* data, size_t size);
        [[nodiscard]] NetlinkMessage& message() const { return message_; }

    private:
        NetlinkMessage& message_;
        size_t start_;
    };

    [[nodiscard]] const nlmsghdr& header() const { return *reinterpret_cast<const nlmsghdr*>(bytes_.data()); }
    [[nodiscard]] std::span<const uint8_t> bytes() const { return std::span(bytes_).first(header().nlmsg_len); }
    [[nodiscard]] bool fits() const { return fits_; } // false: more was added than a message holds

private:
    NetlinkMessage(uint16_t type, unsigned flags, const void* header, size_t size);
    // The last attribute's header, closed; nothing: it does not fit.
    uint8_t* append(size_t size);
    uint8_t* append_attribute(int attribute, size_t size);
    nlmsghdr& own_header() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }

    static constexpr size_t kCapacity = 4096;
    alignas(NLMSG_ALIGNTO) std::array<uint8_t, kCapacity> bytes_; // what is not in use is not touched
    bool fits_ = true;
};

// The first message or attribute of what is left, which is shortened by it; nullptr: there is none, or no whole one.
const nlmsghdr* take_message(std::span<const uint8_t>& left);
const nlattr* take_attribute(std::span<const uint8_t>& left);

// What follows the header of a message that take_message() found.
std::span<const uint8_t> message_payload(const nlmsghdr& message);
// The family's header at the start of that; nullptr: the message is too short for it.
template <typename Header>
const Header* family_header(const nlmsghdr& message) {
    const std::span<const uint8_t> payload = message_payload(message);
    return payload.size() < sizeof(Header) ? nullptr : reinterpret_cast<const Header*>(payload.data());
}

// Of one that take_attribute() found.
std::span<const uint8_t> attribute_bytes(const nlattr& attribute);
std::string_view attribute_text(const nlattr& attribute); // without the closing zero byte

// The attributes of an answer, or of one attribute in it. Valid as long as the answer is.
class NetlinkAttributes {
public:
    NetlinkAttributes() = default;
    explicit NetlinkAttributes(std::span<const uint8_t> bytes) : bytes_(bytes) {}
    NetlinkAttributes(const nlmsghdr& message, size_t header_size);

    [[nodiscard]] const nlattr* find(int attribute) const; // the first of them
    [[nodiscard]] bool has(int attribute) const { return find(attribute) != nullptr; }
    [[nodiscard]] std::span<const uint8_t> bytes(int attribute) const;
    [[nodiscard]] std::string_view text(int attribute) const; // empty: not there
    [[nodiscard]] NetlinkAttributes nested(int attribute) const { return NetlinkAttributes(bytes(attribute)); }
    template <typename Number>
    [[nodiscard]] std::optional<Number> number(int attribute) const {
        const std::span<const uint8_t> data = bytes(attribute);
        if (data.size() < sizeof(Number)) {
            return std::nullopt;
        }
        Number value;
        __builtin_memcpy(&value, data.data(), sizeof value);
        return value;
    }
    void each(const std::function<void(const nlattr&)>& visit) const;

private:
    std::span<const uint8_t> bytes_;
};

} // namespace nspawn
