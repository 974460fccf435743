#include "network/dhcp_server.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr const char* kPrograms[] = {"/usr/sbin/dnsmasq", "/usr/bin/dnsmasq", "/sbin/dnsmasq",
                                     "/usr/local/sbin/dnsmasq"};

std::string netmask_of(unsigned length) {
    IpAddress mask{.family = AF_INET};
    for (unsigned bit = 0; bit < length; ++bit) {
        uint8_t& octet = mask.octets.at(bit / 8);
        octet = static_cast<uint8_t>(octet | 0x80U >> (bit % 8));
    }
    return format_ip_address(mask);
}

void add_ipv4(std::vector<std::string>& words, const IpPrefix& gateway) {
    const std::string own = format_ip_address(gateway.address);
    words.push_back(fmt::format("--dhcp-range={},static,{},1h", format_ip_address(network_of(gateway).address),
                                netmask_of(gateway.length)));
    words.push_back("--dhcp-option=option:router," + own);
    words.push_back("--dhcp-option=option:dns-server," + own);
}

void add_ipv6(std::vector<std::string>& words, const IpPrefix& gateway) {
    words.emplace_back("--enable-ra");
    words.push_back(
        fmt::format("--dhcp-range={},static,{},1h", format_ip_address(network_of(gateway).address), gateway.length));
    words.push_back(fmt::format("--dhcp-option=option6:dns-server,[{}]", format_ip_address(gateway.address)));
}

std::string find_program() {
    for (const char* path : kPrograms) {
        if (access(path, X_OK) == 0) {
            return path;
        }
    }
    throw Error("--network-managed=dhcp needs dnsmasq, which is not installed",
                "Its package is called dnsmasq-base or dnsmasq. With --network-managed=yes the container has its "
                "address without DHCP.");
}

// The directory's own lock says who serves; it goes on to the server, and ends with it. Of those who wait each looks
// again at what it has locked: the last container but one may have had the directory removed.
bool lock_directory(const std::string& path) {
    constexpr int kKept = STDERR_FILENO + 1;
    for (;;) {
        const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (directory < 0 || (directory != kKept && dup2(directory, kKept) < 0)) {
            return false;
        }
        if (directory != kKept) {
            close(directory);
        }
        while (flock(kKept, LOCK_EX) < 0) {
            if (errno != EINTR) {
                return false;
            }
        }
        struct stat status {};
        if (fstat(kKept, &status) == 0 && status.st_nlink > 0) {
            return fcntl(kKept, F_SETFD, 0) == 0;
        }
    }
}

[[noreturn]] void become_server(const std::string& path, std::vector<std::string> words, const std::string& hosts,
                                pid_t starter) {
    std::vector<char*> arguments = {const_cast<char*>("dnsmasq")};
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    char* const environment[] = {nullptr};
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (dup2(nothing, STDIN_FILENO) >= 0 && dup2(nothing, STDOUT_FILENO) >= 0 && dup2(nothing, STDERR_FILENO) >= 0 &&
        close_range(STDERR_FILENO + 1, ~0U, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == starter &&
        lock_directory(hosts)) {
        execve(path.c_str(), arguments.data(), environment);
    }
    _exit(127);
}

} // namespace

std::vector<std::string> dhcp_arguments(const ManagedNetwork& network, const std::string& hosts_directory) {
    std::vector<std::string> words = {"--keep-in-foreground",
                                      "--conf-file=/dev/null",
                                      "--port=0", // no names
                                      "--no-resolv",
                                      "--no-hosts",
                                      "--no-ping",
                                      "--leasefile-ro",
                                      "--user=root", // whose capabilities are few by now
                                      "--pid-file=",
                                      "--dhcp-authoritative",
                                      "--bind-interfaces",
                                      "--except-interface=lo",
                                      "--interface=" + network.link,
                                      "--dhcp-hostsdir=" + hosts_directory};
    for (const IpPrefix& gateway : network.gateways) {
        gateway.address.family == AF_INET ? add_ipv4(words, gateway) : add_ipv6(words, gateway);
    }
    return words;
}

Pidfd start_dhcp_server(const ManagedNetwork& network, const std::string& hosts_directory) {
    const std::string path = find_program();
    const std::vector<std::string> words = dhcp_arguments(network, hosts_directory);
    const pid_t starter = getpid();
    Pidfd process = clone_process({}).or_throw("starting dnsmasq");
    if (!process.valid()) {
        become_server(path, words, hosts_directory, starter);
    }
    return process;
}

} // namespace nspawn
