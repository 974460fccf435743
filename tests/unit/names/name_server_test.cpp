#include "base/file.hpp"
#include "dns_samples.hpp"
#include "names/name_server.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

namespace nspawn {
namespace {

using testing_dns::question;

constexpr int kPatience = 2000;

sockaddr_in address_of(int fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    return address;
}

UniqueFd open_socket(int type, const char* bind_to = nullptr) {
    UniqueFd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const timeval patience{2, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (bind_to != nullptr) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        inet_pton(AF_INET, bind_to, &address.sin_addr);
        EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }
    return fd;
}

std::vector<uint8_t> receive(int fd) {
    std::vector<uint8_t> message(4096);
    const ssize_t got = recv(fd, message.data(), message.size(), 0);
    message.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return message;
}

// The server on 127.0.0.2, asked from 127.0.0.1, where a name server of the host's is played by the test.
class NameServerTest : public testing::Test {
protected:
    NameServerTest() {
        std::string pattern = testing::TempDir() + "/names-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        upstream_ = open_socket(SOCK_DGRAM, "127.0.0.1");
        upstream_stream_ = open_socket(SOCK_STREAM);
        const sockaddr_in same = address_of(upstream_.get());
        EXPECT_EQ(bind(upstream_stream_.get(), reinterpret_cast<const sockaddr*>(&same), sizeof same), 0);
        EXPECT_EQ(listen(upstream_stream_.get(), 4), 0);
        const NameDeskOptions options = {.link = "",
                                         .gateways = {*parse_ip_prefix("127.0.0.2/31")},
                                         .lease_directory = directory_,
                                         .resolv_conf = directory_ + "/resolv.conf",
                                         .resolver_port = ntohs(same.sin_port)};
        std::vector<UniqueFd> udp;
        std::vector<UniqueFd> tcp;
        NameServer::bind(options, 0, udp, tcp).or_throw("");
        udp_address_ = address_of(udp[0].get());
        tcp_address_ = address_of(tcp[0].get());
        server_.emplace(options, std::move(udp), std::move(tcp));
    }
    ~NameServerTest() override { (void)std::system(("rm -rf '" + directory_ + "'").c_str()); }

    void send_query(int fd, const std::vector<uint8_t>& message) {
        ASSERT_EQ(sendto(fd, message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&udp_address_),
                         sizeof udp_address_),
                  static_cast<ssize_t>(message.size()));
        server_->serve_once(kPatience);
    }
    // What the host's server receives, and then says.
    std::vector<uint8_t> play_upstream(const std::vector<uint8_t>& more = {}) {
        std::vector<uint8_t> message(4096);
        sockaddr_in from{};
        socklen_t size = sizeof from;
        const ssize_t got =
            recvfrom(upstream_.get(), message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
        message.resize(got < 0 ? 0 : static_cast<size_t>(got));
        std::vector<uint8_t> reply = message;
        if (reply.size() > 2) {
            reply[2] |= 0x80;
        }
        reply.insert(reply.end(), more.begin(), more.end());
        EXPECT_GT(sendto(upstream_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size), 0);
        return message;
    }

    std::string directory_;
    UniqueFd upstream_;
    UniqueFd upstream_stream_;
    sockaddr_in udp_address_{};
    sockaddr_in tcp_address_{};
    std::optional<NameServer> server_;
};

TEST_F(NameServerTest, KnowsItsOwnNames) {
    const UniqueFd client = open_socket(SOCK_DGRAM);
    send_query(client.get(), question("host", dns::kTypeA, 9));
    const auto answer = receive(client.get());
    ASSERT_GT(answer.size(), 4U);
    EXPECT_EQ(answer[1], 9);
    EXPECT_EQ(std::vector<uint8_t>(answer.end() - 4, answer.end()), (std::vector<uint8_t>{127, 0, 0, 2}));
}

TEST_F(NameServerTest, PassesOtherQuestionsOnUnderAnotherId) {
    const UniqueFd client = open_socket(SOCK_DGRAM);
    const auto message = question("example.com", dns::kTypeA, 0x0102);
    send_query(client.get(), message);
    const auto passed_on = play_upstream({1, 2, 3});
    EXPECT_EQ(std::vector<uint8_t>(passed_on.begin() + 2, passed_on.end()),
              std::vector<uint8_t>(message.begin() + 2, message.end()));
    server_->serve_once(kPatience);
    auto expected = message;
    expected[2] |= 0x80;
    expected.insert(expected.end(), {1, 2, 3});
    EXPECT_EQ(receive(client.get()), expected);
}

TEST_F(NameServerTest, WhatCannotBeReadIsSaidToBeMalformed) {
    const UniqueFd client = open_socket(SOCK_DGRAM);
    auto broken = question("web", dns::kTypeA, 5);
    broken[5] = 9;
    send_query(client.get(), broken);
    const auto answer = receive(client.get());
    ASSERT_EQ(answer.size(), 12U);
    EXPECT_EQ(answer[3] & 0xf, static_cast<int>(dns::Outcome::malformed));
}

TEST_F(NameServerTest, OneClientCannotFillTheTable) {
    const UniqueFd greedy = open_socket(SOCK_DGRAM);
    for (uint16_t i = 0; i < 40; ++i) {
        send_query(greedy.get(), question("example.com", dns::kTypeA, i));
    }
    const auto refused = receive(greedy.get()); // of the thirty-third question
    ASSERT_EQ(refused.size(), 12U);
    EXPECT_EQ(refused[1], 32);
    EXPECT_EQ(refused[3] & 0xf, static_cast<int>(dns::Outcome::server_failed));
    const UniqueFd modest = open_socket(SOCK_DGRAM, "127.0.0.3");
    send_query(modest.get(), question("example.org", dns::kTypeA, 77));
    for (int i = 0; i < 33; ++i) {
        play_upstream();
        server_->serve_once(kPatience);
    }
    EXPECT_EQ(receive(modest.get()).at(1), 77);
}

class NameServerTcpTest : public NameServerTest {
protected:
    NameServerTcpTest() {
        client_ = open_socket(SOCK_STREAM);
        EXPECT_EQ(connect(client_.get(), reinterpret_cast<const sockaddr*>(&tcp_address_), sizeof tcp_address_), 0);
    }
    static std::vector<uint8_t> framed(const std::vector<uint8_t>& message) {
        std::vector<uint8_t> frame = {static_cast<uint8_t>(message.size() >> 8), static_cast<uint8_t>(message.size())};
        frame.insert(frame.end(), message.begin(), message.end());
        return frame;
    }
    void say(const std::vector<uint8_t>& bytes) {
        ASSERT_EQ(send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
    // Until the client has something to read.
    std::vector<uint8_t> serve_until_answer() {
        for (int round = 0; round < 20; ++round) {
            pollfd waiting{client_.get(), POLLIN, 0};
            if (poll(&waiting, 1, 0) == 1) {
                break;
            }
            server_->serve_once(100);
        }
        return receive(client_.get());
    }

    UniqueFd client_;
};

TEST_F(NameServerTcpTest, AnswersSeveralQuestionsAndInPieces) {
    const auto frame = framed(question("host", dns::kTypeA, 3));
    say({frame[0]});
    server_->serve_once(kPatience);
    server_->serve_once(0);
    say({frame.begin() + 1, frame.end()});
    EXPECT_EQ(serve_until_answer().at(3), 3);
    say(framed(question("host", dns::kTypeA, 4)));
    EXPECT_EQ(serve_until_answer().at(3), 4);
}

TEST_F(NameServerTcpTest, PassesQuestionsOn) {
    const auto message = question("example.com", dns::kTypeA, 0x0a0b);
    say(framed(message));
    for (int round = 0; round < 4; ++round) {
        server_->serve_once(100);
    }
    const UniqueFd host(accept(upstream_stream_.get(), nullptr, nullptr));
    ASSERT_TRUE(host);
    EXPECT_EQ(receive(host.get()), framed(message));
    auto reply = message;
    reply[2] |= 0x80;
    const auto frame = framed(reply);
    ASSERT_GT(send(host.get(), frame.data(), frame.size(), MSG_NOSIGNAL), 0);
    EXPECT_EQ(serve_until_answer(), frame);
}

TEST_F(NameServerTcpTest, AServerThatIsNotThereIsAFailure) {
    upstream_stream_.reset();
    say(framed(question("example.com", dns::kTypeA, 0x0a0b)));
    const auto answer = serve_until_answer();
    ASSERT_EQ(answer.size(), 14U);
    EXPECT_EQ(answer[5] & 0xf, static_cast<int>(dns::Outcome::server_failed));
}

TEST_F(NameServerTcpTest, NonsenseEndsTheConnection) {
    say({0, 0});
    EXPECT_TRUE(serve_until_answer().empty());
}

} // namespace
} // namespace nspawn
