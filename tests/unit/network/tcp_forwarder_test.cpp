// Bytes arrive as they were sent, both ways; an end of writing is one there, too; an error is a reset.
#include "loopback.hpp"
#include "network/tcp_forwarder.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>

namespace nspawn {
namespace {

class Forwarding : public testing::Test {
protected:
    explicit Forwarding(size_t connections = 16) : reach(reach_loopback()), forwarder(reach, connections) {
        std::signal(SIGPIPE, SIG_IGN);
        UniqueFd listener = bound_socket(SOCK_STREAM);
        port = port_of(listener);
        forwarder.add(std::move(listener), false, port_of(service));
    }

    // Turns the forwarder until `fd` can be read.
    bool await(int fd) {
        for (int turn = 0; turn < 2000 && !is_readable(fd); ++turn) {
            if (is_readable(forwarder.fd(), 1)) {
                forwarder.dispatch();
            }
        }
        return is_readable(fd);
    }
    // The service's end of the client's connection.
    UniqueFd accept_service() {
        EXPECT_TRUE(await(service.get()));
        return UniqueFd(accept4(service.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    // What arrives there, up to `size` bytes or the end.
    std::string read_from(int fd, size_t size) {
        std::string text;
        std::string buffer(65536, '\0');
        while (text.size() < size && await(fd)) {
            const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
            if (got <= 0) {
                break;
            }
            text.append(buffer, 0, static_cast<size_t>(got));
        }
        return text;
    }
    void settle() {
        for (int turn = 0; turn < 2000 && forwarder.connections() > 0; ++turn) {
            if (is_readable(forwarder.fd(), 1)) {
                forwarder.dispatch();
            }
        }
    }

    UniqueFd service = bound_socket(SOCK_STREAM);
    uint16_t port = 0;
    Reach reach;
    TcpForwarder forwarder;
};

TEST_F(Forwarding, BytesGoBothWays) {
    const UniqueFd client = connected_socket(SOCK_STREAM, port);
    ASSERT_EQ(send(client.get(), "question", 8, 0), 8);
    const UniqueFd server = accept_service();
    EXPECT_EQ(read_from(server.get(), 8), "question");
    ASSERT_EQ(send(server.get(), "answer", 6, 0), 6);
    EXPECT_EQ(read_from(client.get(), 6), "answer");
}

TEST_F(Forwarding, WhoeverHasSaidAllCanStillListen) {
    const UniqueFd client = connected_socket(SOCK_STREAM, port);
    ASSERT_EQ(send(client.get(), "question", 8, 0), 8);
    shutdown(client.get(), SHUT_WR);
    const UniqueFd server = accept_service();
    EXPECT_EQ(read_from(server.get(), 1000), "question") << "up to the end";
    ASSERT_EQ(send(server.get(), "late answer", 11, 0), 11);
    EXPECT_EQ(read_from(client.get(), 11), "late answer");
    shutdown(server.get(), SHUT_WR);
    EXPECT_EQ(read_from(client.get(), 1), "");
    settle();
    EXPECT_EQ(forwarder.connections(), 0);
}

TEST_F(Forwarding, ASlowReaderLosesNothingAndStopsTheWriter) {
    const UniqueFd client = connected_socket(SOCK_STREAM, port);
    std::string sent;
    const UniqueFd server = accept_service();
    std::string chunk(65536, '\0');
    for (int round = 0; round < 2000; ++round) { // as much as goes in
        std::fill(chunk.begin(), chunk.end(), static_cast<char>('a' + round % 26));
        const ssize_t put = send(client.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
        if (put > 0) {
            sent.append(chunk, 0, static_cast<size_t>(put));
        } else if (!is_readable(forwarder.fd(), 5)) {
            break;
        }
        if (is_readable(forwarder.fd())) {
            forwarder.dispatch();
        }
    }
    EXPECT_LT(sent.size(), 100'000'000);
    shutdown(client.get(), SHUT_WR);
    EXPECT_EQ(read_from(server.get(), SIZE_MAX), sent);
}

TEST_F(Forwarding, AResetIsPassedOn) {
    UniqueFd client = connected_socket(SOCK_STREAM, port);
    ASSERT_EQ(send(client.get(), "x", 1, 0), 1);
    const UniqueFd server = accept_service();
    EXPECT_EQ(read_from(server.get(), 1), "x");
    const linger now{1, 0};
    setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    client.reset();
    ASSERT_TRUE(await(server.get()));
    char byte = 0;
    EXPECT_EQ(recv(server.get(), &byte, 1, 0), -1);
    EXPECT_EQ(errno, ECONNRESET);
    settle();
    EXPECT_EQ(forwarder.connections(), 0);
}

TEST_F(Forwarding, WithoutAServiceTheClientHearsAtOnce) {
    service.reset();
    const UniqueFd client = connected_socket(SOCK_STREAM, port);
    ASSERT_TRUE(await(client.get()));
    char byte = 0;
    EXPECT_EQ(recv(client.get(), &byte, 1, 0), -1);
    EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(Forwarding, WithoutAnAddressTheClientHearsAtOnce) {
    reach.set_addresses({});
    const UniqueFd client = connected_socket(SOCK_STREAM, port);
    ASSERT_TRUE(await(client.get()));
    char byte = 0;
    EXPECT_EQ(recv(client.get(), &byte, 1, 0), -1);
    EXPECT_EQ(forwarder.connections(), 0);
}

class FewConnections : public Forwarding {
protected:
    FewConnections() : Forwarding(1) {}
};

TEST_F(FewConnections, OneTooManyIsReset) {
    const UniqueFd first = connected_socket(SOCK_STREAM, port);
    const UniqueFd server = accept_service();
    const UniqueFd second = connected_socket(SOCK_STREAM, port);
    ASSERT_TRUE(await(second.get()));
    char byte = 0;
    EXPECT_EQ(recv(second.get(), &byte, 1, 0), -1);
    EXPECT_EQ(forwarder.connections(), 1);
    ASSERT_EQ(send(first.get(), "x", 1, 0), 1);
    EXPECT_EQ(read_from(server.get(), 1), "x");
}

} // namespace
} // namespace nspawn
