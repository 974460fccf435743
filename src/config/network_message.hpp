// network_message.hpp — the whole conversation between nspawn and its worker nspawn-network, in one place.
//
//   nspawn → worker   ask                 lines "KEYWORD VALUE", part of what is wanted (NetworkRequest); one or more
//   nspawn → worker   begin               that was all of it: make what needs no container
//   nspawn → worker   namespace [+ fd]    the container's network namespace, with its links in it
//   worker → nspawn   ready               everything is in place, the payload may run
//   worker → nspawn   failed              message, and after a newline what to try; the worker ends. Before `ready`
//   only worker → nspawn   notice*, warning*   one line for the user, at any time nspawn → worker   end of file the
//   container has ended, or nspawn: take everything away and end
//
// A worker that has died while the payload ran has a successor, which hears the same with "again" in its request.
//
// A packet is the kind's word, a newline, and the text. To ask for more: a keyword in NetworkRequest, written and read
// in network_message.cpp, and a Service in src/network/ that acts on it (network/service.hpp says how). Neither side
// believes the other more than it has to: what is not of this form ends the conversation.
#pragma once

#include "config/managed_network.hpp"
#include "config/port.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

enum class NetworkMessageKind { ask, begin, namespace_of_container, ready, failed, notice, warning };

struct NetworkMessage {
    NetworkMessageKind kind = NetworkMessageKind::warning;
    std::string text;
};

std::string as_packet(NetworkMessageKind kind, std::string_view text = {});
// Nothing: no such message.
std::optional<NetworkMessage> parse_packet(std::string_view packet);

// Where workers write down what they have made, for whoever comes after a killed one.
constexpr std::string_view kPortRecords = "/run/nspawn/ports";

// Everything that the worker is asked for.
struct NetworkRequest {
    std::string machine;
    std::vector<PublishedPort> ports;
    ManagedNetwork managed;
    bool again = false; // for a payload that runs: its side of the network is its own by now
};

inline bool asks_for_something(const NetworkRequest& request) {
    return !request.ports.empty() || !request.managed.link.empty();
}

// The packets that ask for it, `begin` included.
void for_each_packet(const NetworkRequest& request, const std::function<void(const std::string& packet)>& send);
// Adds what the text of one `ask` says. False: it is not of the form.
bool add_to_request(NetworkRequest& request, std::string_view text);

} // namespace nspawn
