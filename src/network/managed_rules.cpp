#include "network/managed_rules.hpp"

#include <fmt/format.h>

#include <sys/socket.h>

namespace nspawn {

namespace {

std::string_view word_of(const IpPrefix& network) { return network.address.family == AF_INET ? "ip" : "ip6"; }

// A name may hold anything but blanks, '/' and ':'; these two would end the string.
bool is_quotable(const std::string& name) { return name.find_first_of("\"\\*\n") == std::string::npos; }

std::string set_of(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        if (is_quotable(name)) {
            text += fmt::format("{}\"{}\"", text.empty() ? "" : ", ", name);
        }
    }
    return text;
}

std::string nat_chain(const ManagedRules& rules) {
    std::string text = "chain postrouting {\ntype nat hook postrouting priority srcnat + 1; policy accept;\n";
    for (const IpPrefix& network : rules.networks) {
        text += fmt::format("{} saddr {} oifname != \"{}\" masquerade\n", word_of(network),
                            format_ip_prefix(network_of(network)), rules.link);
    }
    return text + "}\n";
}

std::string forward_chain(const ManagedRules& rules) {
    std::string text = "chain forward {\ntype filter hook forward priority filter; policy accept;\n";
    for (const IpPrefix& network : rules.networks) {
        text += fmt::format("iifname \"{}\" {} saddr != {} drop\n", rules.link, word_of(network),
                            format_ip_prefix(network_of(network)));
    }
    text += fmt::format("oifname != \"{0}\" iifname \"{0}\" accept\n"
                        "iifname != \"{0}\" oifname \"{0}\" ct state established,related accept\n"
                        "iifname != \"{0}\" oifname \"{0}\" ct status dnat accept\n"
                        "iifname != \"{0}\" oifname \"{0}\" drop\n",
                        rules.link);
    // The host was no router between these before us, and is none because of us.
    if (const std::string opened = set_of(rules.opened); !opened.empty()) {
        text += fmt::format("iifname {{ {0} }} oifname {{ {0} }} drop\n", opened);
    }
    return text + "}\n";
}

} // namespace

std::string managed_table(const std::string& link) { return "io.nspawn-" + link; }

std::string make_managed_table(const ManagedRules& rules, bool owned) {
    return fmt::format("table inet {} {{\n{}{}{}}}\n", managed_table(rules.link), owned ? "flags owner;\n" : "",
                       nat_chain(rules), forward_chain(rules));
}

std::string delete_managed_table(const std::string& link) {
    return fmt::format("delete table inet {}\n", managed_table(link));
}

} // namespace nspawn
