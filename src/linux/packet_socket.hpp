// packet_socket.hpp — one end of a conversation in packets, between two processes of ours.
//
// Owns a connected AF_UNIX SEQPACKET socket: a packet comes whole or not at all, and may carry one descriptor. Never
// raises SIGPIPE, never passes on what was not asked for. Source: unix(7), recvmsg(2).
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nspawn {

class PacketSocket {
public:
    static constexpr size_t kLongest = 16384; // bytes of one packet

    struct Packet {
        std::string text;
        UniqueFd fd; // invalid: none came with it
    };

    PacketSocket() = default;
    explicit PacketSocket(UniqueFd fd) : fd_(std::move(fd)) {}
    // Two connected ends.
    static Result<std::pair<PacketSocket, PacketSocket>> create();

    // EMSGSIZE: longer than kLongest. EPIPE, ECONNRESET: nobody is there any more.
    [[nodiscard]] Result<void> send(std::string_view text, int fd = -1, bool dont_wait = false) const;
    // The next packet; nothing at end of file. EAGAIN: none is there, with `dont_wait`. EMSGSIZE: it is too long.
    [[nodiscard]] Result<std::optional<Packet>> receive(bool dont_wait = false) const;

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] bool is_open() const { return fd_.valid(); }
    void close() { fd_.reset(); }

private:
    UniqueFd fd_;
};

} // namespace nspawn
