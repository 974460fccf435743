#include "names/udp_relay.hpp"

#include "base/id128.hpp"

#include <algorithm>
#include <cstring>

#include <netinet/in.h>

namespace nspawn {

namespace {

constexpr size_t kMostQuestions = 128;
constexpr size_t kMostOfOneClient = 32;
constexpr size_t kTries = 3;
constexpr std::chrono::milliseconds kPatience{1500}; // for one server; clients ask again after five seconds

uint16_t random_id() { return static_cast<uint16_t>(random_u64()); }

} // namespace

bool Peer::same_host(const Peer& other) const {
    if (address.ss_family != other.address.ss_family) {
        return false;
    }
    if (address.ss_family == AF_INET) {
        return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr ==
               reinterpret_cast<const sockaddr_in&>(other.address).sin_addr.s_addr;
    }
    return std::memcmp(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr,
                       &reinterpret_cast<const sockaddr_in6&>(other.address).sin6_addr, sizeof(in6_addr)) == 0;
}

Peer peer_of(const Resolver& resolver, uint16_t port) {
    Peer peer;
    const Bytes bytes = Bytes(resolver.address.octets).first(resolver.address.size());
    if (resolver.address.family == AF_INET) {
        auto& address = reinterpret_cast<sockaddr_in&>(peer.address);
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        std::memcpy(&address.sin_addr, bytes.data(), bytes.size());
        peer.size = sizeof address;
    } else {
        auto& address = reinterpret_cast<sockaddr_in6&>(peer.address);
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        address.sin6_scope_id = resolver.scope;
        std::memcpy(&address.sin6_addr, bytes.data(), bytes.size());
        peer.size = sizeof address;
    }
    return peer;
}

void UdpRelay::ask(Bytes message, const DnsQuery& query, const Peer& client, Clock::time_point now) {
    const auto of_client = std::count_if(questions_.begin(), questions_.end(),
                                         [&](const Question& each) { return each.client.same_host(client); });
    Question question{.message = {message.begin(), message.end()},
                      .id = query.id,
                      .our_id = random_id(),
                      .question_end = query.question_end,
                      .client = client,
                      .server = UniqueFd(),
                      .deadline = now};
    set_dns_id(question.message, question.our_id);
    if (questions_.size() >= kMostQuestions || static_cast<size_t>(of_client) >= kMostOfOneClient ||
        !try_next_server(question, now)) {
        give_up(question);
        return;
    }
    questions_.push_back(std::move(question));
}

// False: there is nobody left to ask.
bool UdpRelay::try_next_server(Question& question, Clock::time_point now) {
    const std::span<const Resolver> resolvers = desk_.resolvers();
    while (!resolvers.empty() && question.tries < std::max(kTries, resolvers.size())) {
        const Resolver& resolver = resolvers[question.tries++ % resolvers.size()];
        const Peer server = peer_of(resolver, desk_.resolver_port());
        UniqueFd fd(socket(server.address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (fd && connect(fd.get(), reinterpret_cast<const sockaddr*>(&server.address), server.size) == 0 &&
            send(fd.get(), question.message.data(), question.message.size(), MSG_NOSIGNAL) >= 0) {
            question.server = std::move(fd);
            question.deadline = now + kPatience;
            return true;
        }
    }
    return false;
}

void UdpRelay::give_up(Question& question) {
    set_dns_id(question.message, question.id);
    reply_(question.client, make_dns_error(question.message, dns::Outcome::server_failed));
}

void UdpRelay::watch(std::vector<pollfd>& waiting) {
    for (const Question& question : questions_) {
        waiting.push_back({question.server.get(), POLLIN, 0});
    }
}

bool UdpRelay::receive(Question& question) {
    std::vector<uint8_t> reply(kLargestDnsMessage);
    for (;;) {
        const ssize_t got = recv(question.server.get(), reply.data(), reply.size(), MSG_DONTWAIT);
        if (got < 0) {
            return false;
        }
        const std::span<uint8_t> bytes = std::span(reply).first(static_cast<size_t>(got));
        if (is_reply_to(bytes, question.message, question.question_end, question.our_id)) {
            set_dns_id(bytes, question.id);
            reply_(question.client, bytes);
            return true;
        }
    }
}

void UdpRelay::handle(std::span<const pollfd> waited, Clock::time_point now) {
    std::vector<bool> over(questions_.size(), false);
    for (size_t i = 0; i < questions_.size(); ++i) {
        Question& question = questions_[i];
        const bool has_something = i < waited.size() && waited[i].revents != 0;
        over[i] = has_something && receive(question);
        // Refused, or too late: whoever is next.
        const bool refused = has_something && (waited[i].revents & POLLERR) != 0;
        if (!over[i] && (refused || question.deadline <= now) && !try_next_server(question, now)) {
            give_up(question);
            over[i] = true;
        }
    }
    size_t index = 0;
    std::erase_if(questions_, [&](const Question&) { return over[index++]; });
}

std::optional<UdpRelay::Clock::time_point> UdpRelay::next_deadline() const {
    std::optional<Clock::time_point> next;
    for (const Question& question : questions_) {
        next = next ? std::min(*next, question.deadline) : question.deadline;
    }
    return next;
}

} // namespace nspawn
