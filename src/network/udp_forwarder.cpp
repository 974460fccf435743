#include "network/udp_forwarder.hpp"

#include <algorithm>

#include <sys/epoll.h>

namespace nspawn {

namespace {

constexpr int kTurns = 64; // datagrams of one socket before others get their turn
constexpr uint64_t kReceiverTag = uint64_t{1} << 63;

} // namespace

UdpForwarder::UdpForwarder(Reach& reach, size_t clients)
    : reach_(reach), most_(clients), epoll_(epoll_create1(EPOLL_CLOEXEC)),
      buffer_(std::make_unique<std::array<char, 65536>>()) {
    check(epoll_.get(), "epoll_create1").or_throw("forwarding datagrams");
}

bool UdpForwarder::watch(int fd, uint64_t tag) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag;
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void UdpForwarder::add(UniqueFd receiver, bool ipv6, uint16_t port) {
    (void)watch(receiver.get(), kReceiverTag | receivers_.size());
    receivers_.push_back({std::move(receiver), ipv6, port});
}

void UdpForwarder::dispatch(Clock::time_point now) {
    std::array<epoll_event, 64> ready; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by epoll_wait
    const int count = epoll_wait(epoll_.get(), ready.data(), ready.size(), 0);
    for (int i = 0; i < count; ++i) {
        const uint64_t tag = ready[static_cast<size_t>(i)].data.u64;
        if ((tag & kReceiverTag) != 0) {
            receive(tag & ~kReceiverTag, now);
        } else if (const auto found = by_tag_.find(tag); found != by_tag_.end()) {
            answer(found->second->second, now);
        }
    }
}

void UdpForwarder::receive(size_t receiver, Clock::time_point now) {
    for (int turn = 0; turn < kTurns; ++turn) {
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        const ssize_t got = recvfrom(receivers_[receiver].socket.get(), buffer_->data(), buffer_->size(), MSG_DONTWAIT,
                                     reinterpret_cast<sockaddr*>(&from), &size);
        if (got < 0) {
            return;
        }
        Client* const client = find_or_make(receiver, from, size, now);
        if (client != nullptr) { // otherwise it is lost, as datagrams may be
            client->heard = now;
            (void)send(client->socket.get(), buffer_->data(), static_cast<size_t>(got), MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    }
}

UdpForwarder::Client* UdpForwarder::find_or_make(size_t receiver, const sockaddr_storage& from, socklen_t size,
                                                 Clock::time_point now) {
    Key key(reinterpret_cast<const char*>(&receiver), sizeof receiver);
    key.append(reinterpret_cast<const char*>(&from), size);
    if (const auto found = clients_.find(key); found != clients_.end()) {
        return &found->second;
    }
    Result<UniqueFd> socket = reach_.open(SOCK_DGRAM, 0, receivers_[receiver].ipv6, receivers_[receiver].port);
    if (!socket.ok() || !watch(socket.value().get(), next_tag_)) {
        return nullptr;
    }
    make_room(now);
    const auto made =
        clients_.emplace(std::move(key), Client{std::move(socket).value(), from, size, receiver, now}).first;
    by_tag_.emplace(next_tag_++, made);
    return &made->second;
}

void UdpForwarder::answer(Client& client, Clock::time_point now) {
    for (int turn = 0; turn < kTurns; ++turn) {
        const ssize_t got = recv(client.socket.get(), buffer_->data(), buffer_->size(), MSG_DONTWAIT);
        if (got < 0) {
            return; // nothing more, or a port that nobody listens on
        }
        client.heard = now;
        (void)sendto(receivers_[client.receiver].socket.get(), buffer_->data(), static_cast<size_t>(got),
                     MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&client.address),
                     client.address_size);
    }
}

void UdpForwarder::make_room(Clock::time_point now) {
    if (clients_.size() < most_) {
        return;
    }
    expire(now);
    if (clients_.size() >= most_) {
        forget(std::min_element(clients_.begin(), clients_.end(),
                                [](const auto& a, const auto& b) { return a.second.heard < b.second.heard; }));
    }
}

void UdpForwarder::expire(Clock::time_point now) {
    for (auto client = clients_.begin(); client != clients_.end();) {
        const auto next = std::next(client);
        if (now - client->second.heard > kSilence) {
            forget(client);
        }
        client = next;
    }
}

void UdpForwarder::forget(Clients::iterator client) {
    std::erase_if(by_tag_, [&](const auto& entry) { return entry.second == client; });
    clients_.erase(client);
}

void UdpForwarder::forget_all() {
    by_tag_.clear();
    clients_.clear();
}

} // namespace nspawn
