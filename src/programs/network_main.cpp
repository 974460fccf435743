// nspawn-network — what is done for a container's network from outside while it runs. Started by nspawn when a
// container needs it; nobody else has a reason to.
//
// "serve": standard input is a socket, and what is said there is in config/network_message.hpp. It lasts until that
// ends. "reclaim": takes back what a killed one has left.

#include "base/error.hpp"
#include "network/confine.hpp"
#include "network/port_service.hpp"
#include "network/worker.hpp"

#include <cstdlib>
#include <string_view>

#include <unistd.h>

int main(int argc, char** argv) {
    const std::string_view verb = argc == 2 ? argv[1] : "";
    try {
        if (verb == "serve") {
            nspawn::run_network_worker(nspawn::PacketSocket(nspawn::UniqueFd(STDIN_FILENO)));
            return EXIT_SUCCESS;
        }
        if (verb == "reclaim") {
            nspawn::confine_network_worker(nspawn::NetworkDuty::ports);
            nspawn::reclaim_ports();
            return EXIT_SUCCESS;
        }
    } catch (const std::exception&) {
        return EXIT_FAILURE; // nspawn sees that it has ended
    }
    return EXIT_FAILURE;
}
