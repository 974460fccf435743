// Which tree, who it is, and how it talks to the terminal.
#include "base/path.hpp"
#include "config/apply.hpp"
#include "config/machine_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

namespace nspawn::apply {

namespace {

// No SELinux policy has labels of more than a few hundred bytes; the kernel takes a page.
constexpr size_t kLongestLabel = 4095;

std::string joined(std::span<const std::string_view> words) {
    std::string text;
    for (const std::string_view word : words) {
        text.append(text.empty() ? "" : ", ").append(word);
    }
    return text;
}

[[noreturn]] void throw_not_one_of(std::string_view name, std::string_view what) {
    throw Error(fmt::format("not {} ({})", what, joined(find_option(name)->words)));
}

std::string label(const Value& value) {
    const bool has_control = std::any_of(value.text.begin(), value.text.end(),
                                         [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (has_control) {
        throw Error("an SELinux label has no control characters");
    }
    if (value.text.size() > kLongestLabel) {
        throw Error(fmt::format("longer than {} characters", kLongestLabel));
    }
    return std::string(value.text);
}

} // namespace

void reject_word(Draft& draft, const Value& value, std::string reason) {
    if (!value.from_file()) {
        throw Error(std::move(reason));
    }
    draft.notes.push_back(std::move(reason));
}

bool boolean(const Value& value) {
    if (!value.given) {
        return true;
    }
    const auto answer = parse_boolean(value.text);
    if (!answer) {
        throw Error("not a boolean (yes or no)");
    }
    return *answer;
}

void settings(Draft& draft, const Value& value) {
    if (value.text == "override") {
        draft.config.settings = SettingsMode::override_command_line;
    } else if (value.text == "trusted") {
        draft.config.settings = SettingsMode::trusted;
    } else if (const auto answer = parse_boolean(value.text)) {
        draft.config.settings = *answer ? SettingsMode::yes : SettingsMode::no;
    } else {
        throw_not_one_of("settings", "a way to use settings");
    }
}

void no_pager(Draft& draft, const Value& /*value*/) { draft.config.pager = false; }

namespace {

// Absolute; empty for an empty value, which takes an earlier one back.
std::string host_path(const Draft& draft, const Value& value) {
    if (value.text.empty()) {
        return "";
    }
    if (value.text.size() >= PATH_MAX) {
        throw Error(fmt::format("a path has at most {} bytes", PATH_MAX - 1));
    }
    return simplified(is_absolute(value.text) ? std::string(value.text)
                                              : join(draft.caller.start_of_paths(), value.text));
}

// A directory of the tree that is not its top.
std::string path_below_root(std::string_view text) {
    std::string_view path = text;
    while (path.size() > 1 && path.ends_with('/')) {
        path.remove_suffix(1);
    }
    if (!is_absolute(path) || !is_normalized(path)) {
        throw Error(fmt::format("'{}' is not an absolute path without '..', '.' and '//'", printable(text)));
    }
    if (path == "/") {
        throw Error("'/' is the tree's root directory already");
    }
    if (path.size() >= PATH_MAX) {
        throw Error(fmt::format("a path has at most {} bytes", PATH_MAX - 1));
    }
    return std::string(path);
}

} // namespace

void directory(Draft& draft, const Value& value) { draft.config.directory = host_path(draft, value); }

void template_directory(Draft& draft, const Value& value) { draft.config.template_directory = host_path(draft, value); }

void pivot_root(Draft& draft, const Value& value) {
    PivotRoot pivot;
    if (std::string_view rest = value.text; !rest.empty()) {
        pivot.new_root = path_below_root(take_until(rest, ':'));
        pivot.old_root = rest.empty() ? "" : path_below_root(rest);
    }
    draft.config.pivot_root = std::move(pivot);
}

void oci_bundle(Draft& draft, const Value& value) {
    if (value.text.empty() || value.text.size() >= PATH_MAX) {
        throw Error(fmt::format("not a path of 1 to {} bytes", PATH_MAX - 1));
    }
    draft.config.oci_bundle =
        simplified(is_absolute(value.text) ? std::string(value.text) : join(draft.caller.start_of_paths(), value.text));
}

void volatile_mode(Draft& draft, const Value& value) {
    if (!value.given) {
        draft.config.volatile_mode = Volatile::yes;
    } else if (const auto answer = parse_boolean(value.text)) {
        draft.config.volatile_mode = *answer ? Volatile::yes : Volatile::no;
    } else if (value.text == "state") {
        draft.config.volatile_mode = Volatile::state;
    } else if (value.text == "overlay") {
        draft.config.volatile_mode = Volatile::overlay;
    } else {
        throw_not_one_of("volatile", "a volatile mode");
    }
}

void machine(Draft& draft, const Value& value) {
    if (value.text == ".host") { // what machinectl(1) calls the host itself
        throw Error("the host cannot be its own container",
                    "For a container of the host's tree use --directory=/ with --ephemeral or --volatile=.");
    }
    if (const auto problem = machine_name_problem(value.text); problem && !value.text.empty()) {
        throw Error(fmt::format("the machine name {}", *problem));
    }
    draft.config.machine = value.text;
}

void hostname(Draft& draft, const Value& value) {
    if (const auto problem = machine_name_problem(value.text); problem && !value.text.empty()) {
        throw Error(fmt::format("the host name {}", *problem));
    }
    draft.config.hostname = value.text;
}

void uuid(Draft& draft, const Value& value) {
    const auto id = Id128::parse(value.text);
    if (!id) {
        throw Error("not a 128-bit id (32 hexadecimal digits, or a UUID)");
    }
    if (id->is_null()) {
        throw Error("a machine id may not be all zeroes");
    }
    draft.config.uuid = id;
}

void selinux_context(Draft& draft, const Value& value) { draft.config.selinux_context = label(value); }

void selinux_apifs_context(Draft& draft, const Value& value) {
    // It becomes one mount option among others, in quotes.
    if (value.text.find('"') != std::string_view::npos) {
        throw Error("an SELinux label has no quotes");
    }
    draft.config.selinux_apifs_context = label(value);
}

void console(Draft& draft, const Value& value) {
    struct Mode {
        std::string_view word;
        ConsoleRequest request;
    };
    static constexpr Mode kModes[] = {
        {"interactive", ConsoleRequest::interactive}, {"read-only", ConsoleRequest::read_only},
        {"passive", ConsoleRequest::passive},         {"pipe", ConsoleRequest::pipe},
        {"autopipe", ConsoleRequest::autopipe},
    };
    for (const Mode& mode : kModes) {
        if (mode.word == value.text) {
            draft.console = mode.request;
            return;
        }
    }
    throw_not_one_of("console", "a console mode");
}

void pipe(Draft& draft, const Value& /*value*/) { draft.console = ConsoleRequest::pipe; }

void background(Draft& draft, const Value& value) {
    constexpr size_t kLongestColour = 128; // twenty parameters and more
    const bool is_sgr = value.text.find_first_not_of("0123456789;:") == std::string_view::npos;
    if (!is_sgr || value.text.size() > kLongestColour) {
        throw Error("not a colour as SGR parameters (digits and ';', e.g. 48;5;17)");
    }
    draft.config.background = std::string(value.text);
}

} // namespace nspawn::apply
