// network_worker.hpp — nspawn-network as nspawn sees it: started when a container needs it, told what is wanted, heard.
//
// Owns the process and our end of the conversation (config/network_message.hpp). It is started before the container's
// child, so that it is ready when that is. It ends when we do, whatever the reason, and takes back what it made; what a
// killed one leaves is in our ScratchRecord. Never allocates while nothing is said.
#pragma once

#include "config/network_message.hpp"
#include "image/scratch_record.hpp"
#include "linux/packet_socket.hpp"
#include "linux/process.hpp"

namespace nspawn {

class NetworkWorker {
public:
    // There is none.
    NetworkWorker() = default;
    // Starts it and tells it what is wanted. `quiet`: its notices are not passed on. Throws Error.
    NetworkWorker(const NetworkRequest& request, ScratchRecord& record, bool quiet);
    NetworkWorker(NetworkWorker&&) = default;
    NetworkWorker& operator=(NetworkWorker&& other) noexcept;
    ~NetworkWorker() { (void)end(); }

    [[nodiscard]] bool is_running() const { return socket_.is_open(); }
    [[nodiscard]] int fd() const { return socket_.fd(); }
    // Once, when its links are in it: the container's network namespace.
    void enter(const UniqueFd& container) const;
    // Throws Error with its words when it could not do what is wanted.
    void await_ready();
    // What it has said meanwhile, passed on to the user. False: it has ended, and nobody looks after the network.
    bool hear();
    // The container has ended: it takes everything back from now on.
    void let_go() { socket_.close(); }
    // … and waits for that. False: it did not end as it should, and something may be left.
    bool end();

private:
    void pass_on(const NetworkMessage& message) const;

    bool quiet_ = false;
    PacketSocket socket_;
    Pidfd process_;
};

} // namespace nspawn
