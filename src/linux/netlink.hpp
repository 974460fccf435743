// netlink.hpp — one netlink socket and the messages that go over it.
//
// Owns the socket; requests are answered before the call returns, so that nothing is ever left unread. Frames messages
// and attributes with libnl's core (static, no libnl-route, whose start-up code every run would pay for), but reads the
// answers itself, since the kernel's words about a refusal come with them. Not for threads. Knows nothing of links.
// Source: netlink(7), rtnetlink(7), the kernel's Documentation/userspace-api/netlink/intro.rst.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct nl_msg;

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

    // Attributes that are added while it lives belong to this one.
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
        nlattr* start_;
    };

    [[nodiscard]] nlmsghdr* header() const;
    [[nodiscard]] bool fits() const { return fits_; } // false: more was added than a message holds

private:
    NetlinkMessage(uint16_t type, unsigned flags, const void* header, size_t size);

    struct Free {
        void operator()(nl_msg* message) const;
    };
    std::unique_ptr<nl_msg, Free> message_;
    bool fits_ = true;
};

// The attributes of an answer, or of one attribute in it. Valid as long as the answer is.
class NetlinkAttributes {
public:
    NetlinkAttributes() = default;
    NetlinkAttributes(const nlmsghdr& message, size_t header_size);
    explicit NetlinkAttributes(const nlattr* nest);

    [[nodiscard]] const nlattr* find(int attribute) const;
    [[nodiscard]] bool has(int attribute) const { return find(attribute) != nullptr; }
    [[nodiscard]] std::span<const uint8_t> bytes(int attribute) const;
    [[nodiscard]] std::string_view text(int attribute) const; // without the closing zero byte; empty: not there
    [[nodiscard]] NetlinkAttributes nested(int attribute) const;
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
    const nlattr* head_ = nullptr;
    int length_ = 0;
};
std::string_view attribute_text(const nlattr& attribute);

class NetlinkSocket {
public:
    using Visitor = std::function<void(const nlmsghdr&)>;

    // In our network namespace. `protocol`: NETLINK_ROUTE, NETLINK_GENERIC, …
    static Result<NetlinkSocket> open(int protocol = NETLINK_ROUTE);
    // In another one. We are never in it ourselves: a short-lived process that shares our descriptors is.
    // EINVAL: the descriptor is no network namespace's.
    static Result<NetlinkSocket> open_in(int network_namespace, int protocol = NETLINK_ROUTE);

    // One request and what the kernel says to it.
    Result<void> request(const NetlinkMessage& message);
    // As request(); whatever answers come before the acknowledgement go to the visitor.
    Result<void> request(const NetlinkMessage& message, const Visitor& visit);
    // NLM_F_DUMP is added. The whole list again when it changed meanwhile, so that the visitor may see things twice;
    // `restart` is called before.
    Result<void> dump(
        const NetlinkMessage& message, const Visitor& visit, const std::function<void()>& restart = [] {});

    // The kernel's own words about the last request that failed; empty: it had none.
    [[nodiscard]] const std::string& explanation() const { return explanation_; }
    // The errno's words, and these if there are any.
    [[nodiscard]] std::string reason(int code) const;
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}
    Result<void> send(const NetlinkMessage& message, unsigned more_flags);
    Result<void> receive(const Visitor& visit, size_t buffer_size);
    void keep_explanation(const nlmsghdr& answer);

    UniqueFd fd_;
    uint32_t sequence_ = 0;
    std::string explanation_;
};

} // namespace nspawn
