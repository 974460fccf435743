// Each client has its own way to the container and gets its own answers; who is silent is forgotten.
#include "loopback.hpp"
#include "network/udp_forwarder.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

using namespace std::chrono_literals;

class Datagrams : public testing::Test {
protected:
    Datagrams() : reach(reach_loopback()), forwarder(reach, 2) {
        UniqueFd receiver = bound_socket(SOCK_DGRAM);
        port = port_of(receiver);
        forwarder.add(std::move(receiver), false, port_of(service));
    }

    std::string receive(int fd, sockaddr_in* from = nullptr) {
        for (int turn = 0; turn < 1000 && !is_readable(fd); ++turn) {
            if (is_readable(forwarder.fd(), 1)) {
                forwarder.dispatch(now);
            }
        }
        std::string text(2000, '\0');
        socklen_t size = sizeof *from;
        const ssize_t got = recvfrom(fd, text.data(), text.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(from),
                                     from == nullptr ? nullptr : &size);
        text.resize(got < 0 ? 0 : static_cast<size_t>(got));
        return text;
    }
    // A question of a new client; answers to it go to the result.
    sockaddr_in ask(const UniqueFd& client, std::string_view question) {
        EXPECT_GT(send(client.get(), question.data(), question.size(), 0), 0);
        sockaddr_in from{};
        EXPECT_EQ(receive(service.get(), &from), question);
        return from;
    }
    void reply(const sockaddr_in& to, std::string_view answer) {
        EXPECT_GT(
            sendto(service.get(), answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
            0);
    }

    UniqueFd service = bound_socket(SOCK_DGRAM);
    uint16_t port = 0;
    Reach reach;
    UdpForwarder forwarder;
    UdpForwarder::Clock::time_point now{};
};

TEST_F(Datagrams, EachClientGetsItsOwnAnswers) {
    const UniqueFd one = connected_socket(SOCK_DGRAM, port);
    const UniqueFd other = connected_socket(SOCK_DGRAM, port);
    const sockaddr_in from_one = ask(one, "one?");
    const sockaddr_in from_other = ask(other, "other?");
    EXPECT_NE(from_one.sin_port, from_other.sin_port);
    reply(from_other, "other!");
    reply(from_one, "one!");
    EXPECT_EQ(receive(one.get()), "one!");
    EXPECT_EQ(receive(other.get()), "other!");
    EXPECT_EQ(ask(one, "again").sin_port, from_one.sin_port) << "the same conversation";
}

TEST_F(Datagrams, WhoIsSilentIsForgotten) {
    const UniqueFd one = connected_socket(SOCK_DGRAM, port);
    const UniqueFd other = connected_socket(SOCK_DGRAM, port);
    ask(one, "?");
    now += 30s;
    ask(other, "?");
    now += 31s;
    forwarder.expire(now);
    EXPECT_EQ(forwarder.clients(), 1);
    forwarder.forget_all();
    EXPECT_EQ(forwarder.clients(), 0);
    ask(one, "and on");
}

TEST_F(Datagrams, ThereAreNeverTooMany) {
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(connected_socket(SOCK_DGRAM, port));
        ask(clients.back(), "?");
        now += 1s;
    }
    EXPECT_EQ(forwarder.clients(), 2);
}

TEST_F(Datagrams, WithoutAnAddressTheyAreLost) {
    reach.set_addresses({});
    const UniqueFd one = connected_socket(SOCK_DGRAM, port);
    ASSERT_EQ(send(one.get(), "?", 1, 0), 1);
    ASSERT_TRUE(is_readable(forwarder.fd(), 1000));
    forwarder.dispatch(now);
    EXPECT_EQ(forwarder.clients(), 0);
}

} // namespace
} // namespace nspawn
