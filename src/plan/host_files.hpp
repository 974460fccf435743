// host_files.hpp — which of the host's files the container gets: name servers, time zone, journal; as data.
//
// Pure: facts go in, what is to be done comes out. The files are looked at again on each start, so that a reboot inside
// brings in what changed on the host meanwhile; the run folder does that and the work. Source: spec C.10.
#pragma once

#include "base/id128.hpp"
#include "config/config.hpp"
#include "image/image_facts.hpp"
#include "plan/host_facts.hpp"

#include <string>
#include <vector>

namespace nspawn {

inline constexpr const char* kResolvConfPath = "/etc/resolv.conf";
inline constexpr const char* kLocalTimePath = "/etc/localtime";
inline constexpr const char* kJournalDirectory = "/var/log/journal";
inline constexpr const char* kStubResolvConf = "/run/systemd/resolve/stub-resolv.conf";

enum class HostFileAction {
    copy,    // into the file that is there; a symbolic link is left alone
    replace, // whatever is there makes way for a copy
    bind,    // the host's file is mounted on it
    link,    // to `zone` below the container's own /usr/share/zoneinfo; if that is not there, as bind
    remove,
};

struct HostFile {
    const char* target = ""; // in the container
    HostFileAction action = HostFileAction::copy;
    std::string source;             // on the host; symbolic links there are followed
    std::string zone;               // of link; empty: the host's file is no link, or leads elsewhere
    bool remove_if_missing = false; // the source
    bool on_request = false;        // asked for by name, so what cannot be done is worth a warning
    bool writable = true;           // the tree's /etc
    bool hidden = false;            // what the tree has there is covered, and tells nothing
};

// Where the container's journal and the host's meet: /var/log/journal/ID on both sides.
struct JournalPlan {
    LinkJournal mode = LinkJournal::no; // no: nothing is done, in the tree neither
    Id128 id;
    bool fresh_id = false; // made up for this run: nothing of that name can be there
    std::string tree_path; // on the host, of the directory in the tree: what a link there leads to

    // What is impossible is skipped instead of ending the start.
    [[nodiscard]] bool is_soft() const { return mode != LinkJournal::host && mode != LinkJournal::guest; }
};

struct HostFilesInput {
    const Config& config;
    const HostFacts& host;
    const ImageFacts& image;
    bool private_network = false;
    std::string leased_resolv_conf = {}; // on the host, of a managed network; empty: it is none
};

// In the order in which they are to be made.
std::vector<HostFile> plan_host_files(const HostFilesInput& input);
JournalPlan plan_journal(const HostFilesInput& input, const Id128& id);

// What is found at the host's /var/log/journal/ID.
enum class JournalEntry { missing, directory, mount_point, link_to_tree, other_link, other };
enum class JournalAction {
    nothing,
    refuse,         // is in the way
    skip,           // the same, but nobody insists
    forget_link,    // a link that leads elsewhere is removed, and that is all
    make_directory, // in the tree, behind a link that is there already
    link,           // the host's name becomes a link to the tree's directory; what is there makes way
    bind,           // the host's directory is shown in the tree
    make_and_bind,  // the same; what is there makes way for a new directory
};
JournalAction decide_journal(LinkJournal mode, JournalEntry entry);

// "Europe/Berlin" of a link to /usr/share/zoneinfo/Europe/Berlin as it stands in /etc; empty: it leads elsewhere.
std::string zone_of_link(std::string_view link);

} // namespace nspawn
