// Packets come whole, with their descriptor, and the end of the other side is seen.
#include "linux/packet_socket.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>

namespace nspawn {
namespace {

TEST(PacketSocket, APacketComesWholeWithItsDescriptor) {
    auto [one, other] = PacketSocket::create().or_throw("");
    ASSERT_TRUE(one.send("first").ok());
    ASSERT_TRUE(one.send("second", one.fd()).ok());
    auto packet = other.receive().or_throw("");
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->text, "first");
    EXPECT_FALSE(packet->fd);
    packet = other.receive().or_throw("");
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->text, "second");
    ASSERT_TRUE(packet->fd);
    EXPECT_NE(fcntl(packet->fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(other.receive(true).error(), EAGAIN);
}

TEST(PacketSocket, LongOnesAreRefused) {
    auto [one, other] = PacketSocket::create().or_throw("");
    EXPECT_EQ(one.send(std::string(PacketSocket::kLongest + 1, 'x')).error(), EMSGSIZE);
    ASSERT_TRUE(one.send(std::string(PacketSocket::kLongest, 'x')).ok());
    EXPECT_EQ(other.receive().or_throw("")->text.size(), PacketSocket::kLongest);
    const std::string too_long(PacketSocket::kLongest + 1, 'x');
    ASSERT_GT(write(one.fd(), too_long.data(), too_long.size()), 0);
    EXPECT_EQ(other.receive().error(), EMSGSIZE);
}

TEST(PacketSocket, TheEndIsSeen) {
    auto [one, other] = PacketSocket::create().or_throw("");
    one.close();
    EXPECT_FALSE(other.receive().or_throw(""));
    EXPECT_EQ(other.send("x").error(), EPIPE);
}

} // namespace
} // namespace nspawn
