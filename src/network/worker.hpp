// worker.hpp — nspawn-network's life: hears what is wanted, has services do it, and ends when nspawn does.
//
// Owns the conversation (config/network_message.hpp), the event loop and the services. Never decides what is wanted,
// and trusts what nspawn says only so far as it is of the form.
#pragma once

#include "linux/packet_socket.hpp"

namespace nspawn {

// Until the other end is closed; what goes wrong is said there.
void run_network_worker(PacketSocket nspawn);

} // namespace nspawn
