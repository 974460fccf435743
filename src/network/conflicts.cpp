#include "network/conflicts.hpp"

#include "base/directory.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "network/nft.hpp"

#include <fmt/format.h>

#include <fcntl.h>

namespace nspawn {

namespace {

// Whether a kernel setting says no; one that cannot be read says nothing.
bool is_off(const char* path) {
    const Result<std::string> text = read_file(AT_FDCWD, path, 64);
    return text.ok() && trim(text.value()) == "0";
}

// Some interface forwards by itself, as those of managed networks do.
bool any_forwards(const std::string& directory, const char* setting) {
    const Result<UniqueFd> interfaces = open_at(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY);
    bool found = false;
    if (interfaces.ok()) {
        (void)for_each_entry(interfaces.value().get(), [&](const dirent64& entry) {
            const std::string path = fmt::format("{}/{}", static_cast<const char*>(entry.d_name), setting);
            const Result<std::string> text = read_file(interfaces.value().get(), path.c_str(), 64);
            found = found || (text.ok() && trim(text.value()) == "1");
            return !found;
        });
    }
    return found;
}

std::string_view text_of(const JsonNode& object, std::string_view name) {
    for (const auto& [key, value] : object.members) {
        if (key == name) {
            return value.text;
        }
    }
    return {};
}

bool drops_forwarded(const JsonNode& chain) {
    return text_of(chain, "hook") == "forward" && text_of(chain, "policy") == "drop";
}

} // namespace

std::vector<std::string> dropping_chains(std::string_view json) {
    std::vector<std::string> found;
    try {
        const JsonNode root = parse_json(json);
        for (const auto& [key, list] : root.members) {
            for (const JsonNode& item : list.items) {
                for (const auto& [kind, object] : item.members) {
                    if (kind == "chain" && drops_forwarded(object)) {
                        found.push_back(fmt::format("{} {} {}", printable(text_of(object, "family")),
                                                    printable(text_of(object, "table")),
                                                    printable(text_of(object, "name"))));
                    }
                }
            }
        }
    } catch (const Error&) { // not in the form that we know: no word about it
        found.clear();
    }
    return found;
}

std::vector<std::string> find_port_conflicts(Nft& nft, bool ipv4, bool ipv6) {
    std::vector<std::string> sentences;
    if (ipv4 && is_off("/proc/sys/net/ipv4/ip_forward") && !any_forwards("/proc/sys/net/ipv4/conf", "forwarding")) {
        sentences.emplace_back("published ports cannot be reached from other machines by IPv4: forwarding is off "
                               "(sysctl net.ipv4.ip_forward=1 switches it on)");
    }
    if (ipv6 && is_off("/proc/sys/net/ipv6/conf/all/forwarding") &&
        !any_forwards("/proc/sys/net/ipv6/conf", "force_forwarding")) {
        sentences.emplace_back("published ports cannot be reached from other machines by IPv6: forwarding is off "
                               "(sysctl net.ipv6.conf.all.forwarding=1 switches it on)");
    }
    for (const std::string& chain : dropping_chains(nft.list("list chains"))) {
        sentences.push_back(
            fmt::format("another firewall drops forwarded packets unless one of its rules accepts them "
                        "(chain {}, policy drop): published ports may not be reached from other machines",
                        chain));
    }
    return sentences;
}

} // namespace nspawn
