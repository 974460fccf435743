#include "network/forwarding.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "linux/link.hpp"
#include "network/route_watch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <fcntl.h>
#include <net/if_arp.h>

namespace nspawn {

namespace {

std::string read_setting(const std::string& name) {
    const Result<std::string> text = read_file(AT_FDCWD, ("/proc/sys/" + name).c_str(), 64);
    return text.ok() ? std::string(trim(text.value())) : std::string();
}

class Opener {
public:
    Opener(LeaseTable& table, const std::string& link, std::vector<std::string> uplinks)
        : table_(table), link_(link), uplinks_(std::move(uplinks)) {}

    Forwarding run(bool ipv6) {
        open_each(false, "forwarding");
        if (ipv6 && read_setting("net/ipv6/conf/all/forwarding") == "0") {
            open_ipv6();
        }
        return std::move(result_);
    }

private:
    bool set(const std::string& name, const char* value) {
        const Result<void> done = table_.change_setting(name, value);
        if (!done.ok() && done.error() != ENOENT && !said_) {
            said_ = true;
            result_.notices.push_back(
                fmt::format("packets are not forwarded between the container and other machines: /proc/sys/{} cannot "
                            "be set: {}",
                            name, error_text(done.error())));
        }
        return done.ok();
    }

    void open_each(bool ipv6, const char* setting) {
        set(forwarding_setting(ipv6, link_, setting), "1");
        for (const std::string& uplink : uplinks_) {
            const std::string name = forwarding_setting(ipv6, uplink, setting);
            const bool was_open = read_setting(name) == "1" && !table_.has_changed(name);
            if (!was_open && set(name, "1") &&
                std::find(result_.opened.begin(), result_.opened.end(), uplink) == result_.opened.end()) {
                result_.opened.push_back(uplink);
            }
        }
    }

    // Before Linux 6.17 there is only the switch for all; it makes interfaces deaf to router advertisements unless they
    // are told that they are meant all the same.
    void open_ipv6() {
        if (!read_setting(forwarding_setting(true, link_, "force_forwarding")).empty()) {
            open_each(true, "force_forwarding");
            return;
        }
        for (const std::string& uplink : uplinks_) {
            const std::string advertisements = forwarding_setting(true, uplink, "accept_ra");
            if (read_setting(advertisements) == "1") {
                set(advertisements, "2");
            }
            if (std::find(result_.opened.begin(), result_.opened.end(), uplink) == result_.opened.end()) {
                result_.opened.push_back(uplink);
            }
        }
        set("net/ipv6/conf/all/forwarding", "1");
    }

    LeaseTable& table_;
    const std::string& link_;
    std::vector<std::string> uplinks_;
    Forwarding result_;
    bool said_ = false;
};

} // namespace

std::vector<std::string> find_uplinks(NetlinkSocket& socket, const std::string& own) {
    const std::vector<Link> links = list_links(socket).or_throw("listing the host's links");
    const std::vector<Route> routes = list_routes(socket).or_throw("listing the host's routes");
    std::vector<std::string> names;
    for (const Link& link : links) {
        const bool used =
            std::any_of(routes.begin(), routes.end(), [&](const Route& route) { return route.index == link.index; });
        // What leads to another container has its own keeper.
        if (used && link.type != ARPHRD_LOOPBACK && link.name != own && !is_link_to_container(link.name)) {
            names.push_back(link.name);
        }
    }
    return names;
}

std::string forwarding_setting(bool ipv6, const std::string& interface, const std::string& name) {
    return fmt::format("net/ipv{}/conf/{}/{}", ipv6 ? 6 : 4, interface, name);
}

Forwarding allow_forwarding(LeaseTable& table, NetlinkSocket& socket, const std::string& link, bool ipv6) {
    return Opener(table, link, find_uplinks(socket, link)).run(ipv6);
}

} // namespace nspawn
