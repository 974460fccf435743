// handshake.hpp — the whole conversation between the supervisor and the container's child, in one place.
//
//   helper → supervisor  born [+ fd]        with private users only: the child is there; its number (code) and pidfd
//   supervisor → child   hooks_done         only for an OCI bundle with hooks that run before
//   child → supervisor   warning*           something optional failed; the start goes on
//   supervisor → child   prepared [+ fds]   mounts that it has made meanwhile: the one for /dev if
//   supervisor_makes_dev(),
//                                           and the one for /run/host/incoming unless there is none
//   child → supervisor   mounted [+ fds]    everything is mounted; as text, which of the plan's operations were left
//                                           out (number_operations()); the descriptors the supervisor has to hold;
//                                           code 1: the tree has the directory for the journal
//   supervisor → child   go                 the mounts are as they should be; device policy, limits, links are in place
//                        or refused         path (text) and what is wrong with it (hint); the child says so in `failed`
//   child → supervisor   end of file        the payload runs (the socket is close-on-exec)
//   or, at any time:     failed             stage and reason; the child exits
//                        kill_supervisor    only with NSPAWN_FAULT
//
// With private users the child has a helper that is not in its user namespace, and speaks for it up to `mounted`; what
// the two of them say to each other, on a socket of their own, is
//
//   child → helper       ready              its namespaces are complete
//   helper → child       tree_ready         everything but what is the child's own is mounted; as text as in `mounted`
//   child → helper       end of file        the payload runs, or will not
//
// One SEQPACKET socket, one message per packet, never more than kMaxText bytes of text. Both ends are ours until the
// payload runs, and the payload never sees the socket.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nspawn {

enum class MessageKind : uint32_t {
    hooks_done = 1,
    warning,
    prepared,
    mounted,
    go,
    refused,
    failed,
    kill_supervisor,
    born,
    ready,
    tree_ready,
};

struct Message {
    MessageKind kind = MessageKind::warning;
    int code = 0;     // errno of a failure
    std::string text; // message, or as said above
    std::string hint;
    std::vector<UniqueFd> fds;
};

class Handshake {
public:
    static constexpr size_t kMaxText = 2048;
    static constexpr size_t kMaxFds = 4;

    // Two connected ends.
    static Result<std::pair<Handshake, Handshake>> create();

    [[nodiscard]] Result<void> send(MessageKind kind, int code = 0, std::string_view text = {},
                                    std::string_view hint = {}, std::span<const int> fds = {}) const;
    // The next message; nothing at end of file. EPROTO: not of our form. EAGAIN with dont_wait.
    [[nodiscard]] Result<std::optional<Message>> receive(bool dont_wait = false) const;

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] bool is_open() const { return fd_.valid(); }
    void close() { fd_.reset(); }

private:
    explicit Handshake(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

} // namespace nspawn
