#include "names/host_resolvers.hpp"

#include "base/file.hpp"
#include "base/text.hpp"

#include <algorithm>

#include <fcntl.h>
#include <net/if.h>
#include <sys/stat.h>

namespace nspawn {

namespace {

constexpr size_t kMostResolvers = 3;
constexpr size_t kLargestFile = size_t{64} * 1024;

std::optional<Resolver> parse_resolver(std::string_view word) {
    Resolver resolver;
    const std::string_view number = take_until(word, '%');
    const auto address = parse_ip_address(number);
    if (!address) {
        return std::nullopt;
    }
    resolver.address = *address;
    if (!word.empty()) {
        resolver.scope = if_nametoindex(std::string(word).c_str());
    }
    return resolver;
}

} // namespace

std::vector<Resolver> parse_resolvers(std::string_view resolv_conf) {
    std::vector<Resolver> resolvers;
    while (!resolv_conf.empty() && resolvers.size() < kMostResolvers) {
        const std::vector<std::string_view> words = split_any(take_until(resolv_conf, '\n'), " \t\r");
        if (words.size() >= 2 && words[0] == "nameserver") {
            if (const auto resolver = parse_resolver(words[1])) {
                resolvers.push_back(*resolver);
            }
        }
    }
    if (resolvers.empty()) {
        resolvers.push_back({*parse_ip_address("127.0.0.1")});
    }
    return resolvers;
}

std::span<const Resolver> HostResolvers::current() {
    struct stat status {};
    const bool there = stat(path_.c_str(), &status) == 0;
    const bool same = there && read_ && status.st_ino == inode_ && status.st_mtim.tv_sec == modified_.tv_sec &&
                      status.st_mtim.tv_nsec == modified_.tv_nsec;
    if (!same) {
        const Result<std::string> content = read_file(AT_FDCWD, path_.c_str(), kLargestFile);
        resolvers_ = parse_resolvers(content.ok() ? std::string_view(content.value()) : std::string_view());
        std::erase_if(resolvers_, [this](const Resolver& resolver) {
            return std::find(own_.begin(), own_.end(), resolver.address) != own_.end();
        });
        modified_ = status.st_mtim;
        inode_ = status.st_ino;
        read_ = content.ok();
    }
    return resolvers_;
}

} // namespace nspawn
