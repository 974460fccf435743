#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "config/credential.hpp"
#include "saying.hpp"
#include "temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace nspawn {
namespace {

using testing::HasSubstr;

std::string problem(const std::string& source, const Caller& caller = {}) {
    try {
        (void)read_credential(source, caller);
    } catch (const Error& error) {
        return error.message();
    }
    return "";
}

TEST(Credential, FilesAreReadByteForByte) {
    const TemporaryDirectory directory;
    const std::string content("a\0b\n\xff", 5);
    EXPECT_EQ(read_credential(directory.write("secret", content), {}), content);
    EXPECT_EQ(read_credential(directory.write("empty", ""), {}), "");
}

TEST(Credential, SizeIsBounded) {
    const TemporaryDirectory directory;
    EXPECT_EQ(read_credential(directory.write("most", std::string(kLargestCredential, 'x')), {}).size(),
              kLargestCredential);
    EXPECT_THAT(problem(directory.write("more", std::string(kLargestCredential + 1, 'x'))),
                HasSubstr("at most 1048576 bytes"));
}

TEST(Credential, OwnOnesAreFoundByName) {
    const TemporaryDirectory directory;
    directory.write("token", "t0k");
    const std::string variable = "CREDENTIALS_DIRECTORY=" + directory.path().string();
    const std::array<const char*, 2> environment = {variable.c_str(), nullptr};
    Caller caller;
    caller.environment = environment.data();
    EXPECT_EQ(read_credential("token", caller), "t0k");
    EXPECT_THAT(problem("other", caller), HasSubstr("No such file"));
    EXPECT_THAT(problem("token"), HasSubstr("$CREDENTIALS_DIRECTORY is not set"));
    const std::array<const char*, 2> relative = {"CREDENTIALS_DIRECTORY=tmp", nullptr};
    caller.environment = relative.data();
    EXPECT_THAT(problem("token", caller), HasSubstr("not an absolute path"));
}

TEST(Credential, DirectoriesAndDevicesAreRefused) {
    EXPECT_EQ(problem("/tmp"), "not a file, pipe or socket");
    EXPECT_EQ(problem("/dev/zero"), "not a file, pipe or socket");
}

TEST(Credential, PipesAreReadToTheirEnd) {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    {
        const UniqueFd writer(ends[1]);
        ASSERT_EQ(write(writer.get(), "from a pipe", 11), 11);
    }
    EXPECT_EQ(read_credential("/proc/self/fd/" + std::to_string(reader.get()), {}), "from a pipe");
}

// A socket in a directory so deep that its path does not fit an address.
TEST(Credential, SocketsAreReadToTheirEnd) {
    const TemporaryDirectory directory;
    const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = directory.at("s");
    std::copy(path.begin(), path.end(), std::begin(address.sun_path));
    ASSERT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(listen(listener.get(), 1), 0);
    const std::string deep = directory.at(std::string(200, 'd'));
    ASSERT_EQ(symlink(path.c_str(), deep.c_str()), 0);

    std::thread server([&] {
        const UniqueFd connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        EXPECT_EQ(write(connection.get(), "from a ", 7), 7);
        EXPECT_EQ(write(connection.get(), "socket", 6), 6);
    });
    EXPECT_EQ(read_credential(deep, {}), "from a socket");
    server.join();
}

TEST(Credential, AnAbandonedSocketIsAnError) {
    const TemporaryDirectory directory;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = directory.at("s");
    std::copy(path.begin(), path.end(), std::begin(address.sun_path));
    {
        const UniqueFd bound(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(bind(bound.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    }
    EXPECT_THAT(problem(path), HasSubstr("connect: Connection refused"));
}

TEST(Credential, Names) {
    for (const std::string& name :
         {std::string("a"), std::string("foo.bar-1_2"), std::string("@x"), std::string(255, 'x')}) {
        EXPECT_TRUE(is_credential_name(name)) << name;
    }
    for (const std::string& name :
         {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("a b"),
          std::string("\xc3\xa4"), std::string(256, 'x'), std::string("a\x7f")}) {
        EXPECT_FALSE(is_credential_name(name)) << name;
    }
}

TEST(Credential, OptionsFillTheConfigInOrder) {
    const TemporaryDirectory directory;
    const std::string path = directory.write("secret", "from file");
    const Config config =
        Saying({"--set-credential=one:a\\tb\\x00c:d", "--load-credential=two:" + path, "--set-credential=three:"})
            .config();
    ASSERT_EQ(config.credentials.size(), 3U);
    EXPECT_EQ(config.credentials[0].content, std::string("a\tb\0c:d", 7));
    EXPECT_EQ(config.credentials[1].content, "from file");
    EXPECT_EQ(config.credentials[2].content, "");
}

TEST(Credential, ANameIsGivenOnceOnly) {
    EXPECT_THAT(Saying({"--set-credential=a:x", "--load-credential=a:/y"}).problem(),
                HasSubstr("--load-credential=a:/y: the credential \"a\" is given twice"));
}

TEST(Credential, MessagesNeverShowTheSecret) {
    EXPECT_EQ(Saying({"--set-credential=a/b:hunter2"}).problem().find("hunter2"), std::string::npos);
    EXPECT_EQ(Saying({"--set-credential=a:hunter2\\q"}).problem().find("hunter2"), std::string::npos);
}

} // namespace
} // namespace nspawn
