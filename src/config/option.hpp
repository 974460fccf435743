// option.hpp — what one option is: a row of the table that everything about options is made from.
//
// The command line, the settings files, --help, the man page, the completions and the fuzz dictionary all read this
// table; adding an option is adding a row. Rows are constant data, so that `--version` costs nothing. Never decides
// which source wins: that is resolve()'s task, with the rules given here.
// Source of names, letters and grammar: systemd-nspawn(1), systemd.nspawn(5).
#pragma once

#include "config/assignment.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

struct Config;
struct Draft;

enum class Argument { none, required, optional };

// What a settings file that came with the image may do with the setting. The default is nothing.
enum class Trust {
    trusted_only, // ignored with a warning
    narrowing,    // heard, but never replaces what the command line said, not even with --settings=override
    deny_entries, // as narrowing, and the whole setting is dropped when one entry of it allows something
    anyone,       // heard like any other
};

// What a second mention of the option in the same source does.
enum class Repeat {
    last,         // replaces the first; in a settings file an empty value takes back what was said
    append,       // adds; an empty value changes nothing
    append_reset, // adds; an empty value takes back what was said
    set_union,    // adds to a set; an empty value changes nothing
};

// Options that share one bit of the settings mask: saying one of them on the command line hides all of them in the
// settings file. `none` options cannot be set in files.
enum class MaskGroup {
    none,
    start_mode,
    ephemeral,
    read_only,
    volatile_mode,
    pivot_root,
    working_directory,
    environment,
    user,
    kill_signal,
    notify_ready,
    suppress_sync,
    no_new_privileges,
    capability,
    system_call_filter,
    bind_user,
    limit, // one bit for each resource
    oom_score_adjust,
    cpu_affinity,
    personality,
    hostname,
    machine_id,
    custom_mounts,
    resolv_conf,
    timezone,
    link_journal,
    users,
    network,
    managed_network,
    port,
};

enum class HelpSection {
    general,
    image,
    mounts,
    integration,
    users,
    network,
    execution,
    identity,
    security,
    resources,
    credentials,
    terminal,
    inspection,
};

enum class Completion {
    none,
    words, // Option::words
    boolean,
    directory,
    file,
    machine,
    user,
    signal,
    capability,
    system_call,
    limit,
    personality,
    environment_variable,
};

// Options that print something and end the program as soon as they are read.
enum class RequestKind { none, help, version, list_values };

struct Value {
    std::string_view text;    // empty when there is none
    bool given = false;       // false: the option was named without a value
    std::string_view spelled; // "--rlimit", "-E", "Exec.LimitNOFILE"
    const Origin& origin;

    [[nodiscard]] bool from_file() const { return origin.kind == Origin::Kind::settings_file; }
};

struct Option {
    std::string_view name = {};    // long name without the dashes; empty: only settings files can say it
    char letter = '\0';            // short name
    std::string_view alias = {};   // another long name for the same
    std::string_view metavar = {}; // of the value; empty when there is none
    Argument argument = Argument::none;

    std::string_view setting = {};                        // "Section.Key"; empty: not settable in files
    std::span<const std::string_view> more_settings = {}; // further keys for the same option
    Trust trust = Trust::trusted_only;
    Repeat repeat = Repeat::last;         // on the command line
    Repeat setting_repeat = Repeat::last; // in a settings file
    MaskGroup group = MaskGroup::none;
    std::span<const std::string_view> conflicts = {}; // long names it cannot be combined with

    HelpSection section = HelpSection::general;
    std::string_view help = {}; // one line, no full stop
    Completion completion = Completion::none;
    std::span<const std::string_view> words = {}; // the fixed words among the values
    bool lists_values = false;                    // the value "help" prints the valid values

    bool secret = false;                     // messages and lists show the value only up to its first ':'
    RequestKind request = RequestKind::none; // then there is nothing to apply or show

    // Parses and stores one value. Throws Error with the reason alone; the caller knows whose value it was.
    void (*apply)(Draft& draft, const Value& value) = nullptr;
    // The final value as text, an item for each element of a list; an empty list: not set.
    std::vector<std::string> (*show)(const Config& config) = nullptr;
    // Instead of `show`: the long name of the option whose value this one's is part of.
    std::string_view shown_with = {};
};

std::span<const Option> option_table();
// By long name (aliases too), without the dashes; nullptr: there is none.
const Option* find_option(std::string_view name);
const Option* find_option(char letter);
// find_setting("Exec", "User"); section and key are case-sensitive.
const Option* find_setting(std::string_view section, std::string_view key);
// Every section that has a key.
bool is_settings_section(std::string_view section);
// Every value that `--option=help` prints, also the candidates for completion; empty when they cannot be listed.
std::vector<std::string> values_of(const Option& option);
// "--name", "-n" for a row with a letter alone or, for a settings-only row, "Key=".
std::string display_name(const Option& option);

} // namespace nspawn
