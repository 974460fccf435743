// netlink.hpp — one netlink socket.
//
// Owns the socket; requests are answered before the call returns, so that nothing is ever left unread. What messages
// look like is in netlink_message.hpp. Not for threads. Knows nothing of links. Source: netlink(7), rtnetlink(7), the
// kernel's Documentation/userspace-api/netlink/intro.rst.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "linux/netlink_message.hpp"

#include <cstdint>
#include <functional>
#include <string>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

namespace nspawn {

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
    Result<void> outcome_of(const nlmsghdr& answer);
    void keep_explanation(const nlmsghdr& answer);

    UniqueFd fd_;
    uint32_t sequence_ = 0;
    std::string explanation_;
};

} // namespace nspawn
