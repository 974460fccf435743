// host_files.hpp — what --resolv-conf=, --timezone= and --link-journal= can be told: the host's name service, time zone
// and journal as the container sees them.
//
// Owns the words and what they mean; pure. What is to be done with the host and the tree at hand is the plan's task.
// Source: systemd-nspawn(1) "Integration Options", systemd.nspawn(5).
#pragma once

#include <optional>
#include <string_view>

namespace nspawn {

// The host's file that becomes the container's /etc/resolv.conf, systemd-resolved.service(8) "/ETC/RESOLV.CONF".
enum class ResolvConfSource { host, fixed, uplink, stub };
enum class HostFileWay { off, automatic, copy, replace, bind, symlink, remove };

struct ResolvConf {
    HostFileWay way = HostFileWay::automatic;
    ResolvConfSource source = ResolvConfSource::host;
};

enum class LinkJournal { no, automatic, host, guest, try_host, try_guest };

// The words, in the order in which they are listed.
inline constexpr std::string_view kResolvConfWords[] = {
    "off",          "copy-host",      "copy-static",    "copy-uplink",  "copy-stub",
    "replace-host", "replace-static", "replace-uplink", "replace-stub", "bind-host",
    "bind-static",  "bind-uplink",    "bind-stub",      "delete",       "auto"};
inline constexpr std::string_view kTimezoneWords[] = {"off", "copy", "bind", "symlink", "delete", "auto"};
inline constexpr std::string_view kLinkJournalWords[] = {"no", "host", "guest", "try-host", "try-guest", "auto"};

// No value: not one of the words, and no boolean (yes is automatic, no is off).
std::optional<ResolvConf> parse_resolv_conf(std::string_view text);
std::optional<HostFileWay> parse_timezone(std::string_view text);
std::optional<LinkJournal> parse_link_journal(std::string_view text);

std::string_view to_word(const ResolvConf& value);
std::string_view timezone_word(HostFileWay value);
std::string_view to_word(LinkJournal value);

} // namespace nspawn
